import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { createMemoryQueue } from "tenfold/engines/memory";
import { createSqliteQueue } from "tenfold/engines/sqlite";
import type { Queue } from "tenfold/queueing";

/**
 * What a queue does in a second, in process: SQLite beside the same queue in memory, which shows
 * what the disk costs. `--json` for machines, `--seconds` for each figure, `--messages` for the
 * file that is opened again.
 */
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    seconds: { type: "string", default: "1" },
    messages: { type: "string", default: "100000" },
  },
});
const durationMs = Number(values.seconds) * 1_000;
const messages = Number(values.messages);
const body = JSON.stringify({ contents: "x".repeat(300) });
let unique = 0;

function enqueueOne(queue: Queue): Promise<unknown> {
  const id = String(unique++).padStart(12, "0");
  return queue.enqueue({ key: `user-${unique % 5_000}`, sort: id, body, idempotencyKey: id });
}

/** Calls a second with so many under way at a time. */
async function rate(concurrency: number, call: () => Promise<number>): Promise<number> {
  const start = performance.now();
  let count = 0;
  const loop = async (): Promise<void> => {
    while (performance.now() - start < durationMs) {
      // Not `count += await …`: that would add to the count of before the wait.
      const done = await call();
      count += done;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, loop));
  return Math.round((count / (performance.now() - start)) * 1_000);
}

async function figuresOf(queue: Queue): Promise<Record<string, number>> {
  const enqueue = async (): Promise<number> => {
    await enqueueOne(queue);
    return 1;
  };
  const claimAndSettle = async (): Promise<number> => {
    const jobs = await queue.claim({ max: 64, leaseMs: 30_000, waitMs: 0 });
    if (jobs.length === 0) await Promise.all(Array.from({ length: 64 }, () => enqueueOne(queue)));
    await queue.settle(jobs.map(({ sequence, token }) => ({ sequence, token, result: "done" })));
    return jobs.length;
  };
  return {
    "enqueue, 1 at a time, per s": await rate(1, enqueue),
    "enqueue, 64 at a time, per s": await rate(64, enqueue),
    "claim 64 + settle, 4 at a time, jobs per s": await rate(4, claimAndSettle),
  };
}

/** How long it takes from opening a file with many open messages to the first answer. */
async function reopenMs(folder: string): Promise<number> {
  const file = join(folder, "many.db");
  const queue = await createSqliteQueue({ file });
  for (let i = 0; i < messages; i += 1_000) {
    await Promise.all(Array.from({ length: 1_000 }, () => enqueueOne(queue)));
  }
  await queue.close();
  const start = performance.now();
  const again = await createSqliteQueue({ file });
  await again.claim({ max: 1, leaseMs: 1_000, waitMs: 0 });
  const tookMs = performance.now() - start;
  await again.close();
  return Math.round(tookMs);
}

const folder = mkdtempSync(join(tmpdir(), "tenfold-bench-queue-"));
try {
  const sqlite = await createSqliteQueue({ file: join(folder, "queue.db") });
  const memory = createMemoryQueue();
  const results = {
    sqlite: {
      ...(await figuresOf(sqlite)),
      [`open ${messages} messages and claim, ms`]: await reopenMs(folder),
    },
    memory: await figuresOf(memory),
  };
  await sqlite.close();
  await memory.close();
  if (values.json) console.log(JSON.stringify(results));
  else console.table(results);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
