import { stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

import type { Coordinator } from "../../coordination/coordinator.ts";
import { systemRuntime } from "../../runtime/runtime.ts";
import { startNode } from "../../testing/server-process.fixture.ts";
import { connectEtcd } from "../etcd/client.ts";
import { journalFile } from "./journal.ts";

/** A sample; `TENFOLD_CRASH_ROUNDS` for more. */
const rounds = Number(process.env.TENFOLD_CRASH_ROUNDS ?? 8);
const writers = 12;
/** So large that the log is written anew several times, some of them while the node is killed. */
const valueBytes = 16_384;

interface Acknowledged {
  readonly value: number;
  readonly revision: bigint;
}

test("SIGKILL at any moment loses no acknowledged write and repeats no revision", async () => {
  const server = await startNode({ NODE_HISTORY: "20" });
  const client = connectEtcd({ endpoints: `http://127.0.0.1:${server.address.port}` });
  const acknowledged = new Map<string, Acknowledged>();
  const revisions = new Set<bigint>();
  const stop = new AbortController();
  let repeated = 0;
  const writing = Array.from({ length: writers }, (_, i) =>
    writeUntil(stop.signal, client, `/w/${i}`, (key, one) => {
      if (revisions.has(one.revision)) repeated++;
      revisions.add(one.revision);
      acknowledged.set(key, one);
    }),
  );
  let lost = 0;
  let fileBytes = 0;
  try {
    for (let round = 0; round < rounds; round++) {
      const before = revisions.size;
      await until(() => revisions.size > before + 50);
      await systemRuntime.clock.sleep(systemRuntime.random.below(40));
      await server.kill();
      const known = new Map(acknowledged);
      await server.restart();
      const { entries } = await client.list("/w/", { timeoutMs: 60_000 });
      const stored = new Map(entries.map((entry) => [entry.key, entry]));
      for (const [key, { value, revision }] of known) {
        const entry = stored.get(key);
        if (entry === undefined || Number(entry.value) < value || entry.revision < revision) lost++;
      }
    }
    fileBytes = (await stat(join(server.dataFolder, journalFile))).size;
  } finally {
    stop.abort();
    await Promise.all(writing);
    await client.close();
    await server.close();
  }
  expect({ lost, repeated }).toEqual({ lost: 0, repeated: 0 });
  expect(revisions.size).toBeGreaterThan(rounds * 50);
  expect(fileBytes, "the log was written anew").toBeLessThan(revisions.size * valueBytes);
});

/** Counts up under one key, never back, and reports what the server has acknowledged. */
async function writeUntil(
  signal: AbortSignal,
  client: Coordinator,
  key: string,
  report: (key: string, acknowledged: Acknowledged) => void,
): Promise<void> {
  for (let value = 1; !signal.aborted; value++) {
    const result = await client
      .transact(
        { change: [{ put: key, value: String(value).padEnd(valueBytes) }] },
        { timeoutMs: 2_000 },
      )
      .catch(() => undefined);
    if (result?.outcome === "applied") report(key, { value, revision: result.revision });
  }
}

async function until(check: () => boolean): Promise<void> {
  const deadline = performance.now() + 90_000;
  while (!check()) {
    expect(performance.now(), "the server does not come back").toBeLessThan(deadline);
    await systemRuntime.clock.sleep(5);
  }
}
