import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import threads from "node:worker_threads";

import { afterAll, describe, expect, test } from "vitest";

import type { Queue } from "../../queueing/queue.ts";
import type { QueueLimits } from "../../queueing/queue-limits.ts";
import {
  answerQueueCall,
  decodeQueueError,
  encodeQueueError,
} from "../../queueing/queue-protocol.ts";
import { type RemoteCall, remoteQueue } from "../../queueing/remote-queue.ts";
import { isTenfoldError } from "../../runtime/errors.ts";
import { queueConformance } from "../../testing/queue-conformance.ts";
import { createSqliteQueue } from "./queue.ts";

const folder = mkdtempSync(join(tmpdir(), "tenfold-queue-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
const fileOf = new WeakMap<Queue, string>();

async function open(limits?: Partial<QueueLimits>, file?: string): Promise<Queue> {
  const path = file ?? join(folder, `${files++}.db`);
  const queue = await createSqliteQueue({ file: path, limits: limits ?? {} });
  fileOf.set(queue, path);
  return queue;
}

async function reopen(queue: Queue): Promise<Queue> {
  await queue.close();
  return await open(undefined, fileOf.get(queue));
}

/** What HTTP does to a call: JSON both ways, and errors as bodies. */
function overWire(owner: Queue): RemoteCall {
  return async (operation, payload, { signal }) => {
    const sent = JSON.parse(JSON.stringify(payload));
    try {
      return JSON.parse(JSON.stringify(await answerQueueCall(owner, operation, sent, { signal })));
    } catch (error) {
      if (!isTenfoldError(error)) throw error;
      throw decodeQueueError(JSON.parse(JSON.stringify(encodeQueueError(error).body))) ?? error;
    }
  };
}

describe("the queue in SQLite", () => {
  for (const { name, run } of queueConformance({ open, reopen })) test(name, run);
});

describe("the queue of another process", () => {
  const openRemote = async (limits?: Partial<QueueLimits>): Promise<Queue> => {
    const owner = await open(limits);
    return { ...remoteQueue(overWire(owner), { deadlineMs: 100 }), close: () => owner.close() };
  };
  for (const { name, run } of queueConformance({ open: openRemote })) test(name, run);
});

describe("the file of a queue", () => {
  const message = { key: "k", sort: "1", body: "{}", idempotencyKey: "1" };

  test("has one owner at a time", async () => {
    const file = join(folder, "locked.db");
    const queue = await open({}, file);
    await expect(open({}, file)).rejects.toMatchObject({ code: "TENFOLD_QUEUEING_FILE_LOCKED" });
    await queue.enqueue(message);
    await queue.close();
    const next = await open({}, file);
    expect((await next.stats()).accepted).toBe(1);
    await next.close();
  });

  test("of an unknown version is refused and left as it is", async () => {
    const file = join(folder, "version.db");
    await (await open({}, file)).close();
    const setVersion = (version: number): void => {
      const database = new DatabaseSync(file);
      database.exec(`PRAGMA user_version = ${version}`);
      database.close();
    };
    setVersion(99);
    await expect(open({}, file)).rejects.toMatchObject({
      code: "TENFOLD_QUEUEING_FILE_UNSUPPORTED",
      message: expect.stringContaining("format 99"),
    });
    setVersion(1);
    await (await open({}, file)).close();
  });

  test("of another program is refused and left as it is", async () => {
    const file = join(folder, "foreign.db");
    const database = new DatabaseSync(file);
    database.exec("CREATE TABLE theirs (x)");
    database.close();
    const before = readFileSync(file);
    const unsupported = { code: "TENFOLD_QUEUEING_FILE_UNSUPPORTED" };
    await expect(open({}, file)).rejects.toMatchObject(unsupported);
    expect(readFileSync(file).equals(before)).toBe(true);
    const text = join(folder, "text.db");
    writeFileSync(text, "this is no database, whatever its name says\n".repeat(100));
    await expect(open({}, text)).rejects.toMatchObject(unsupported);
  });

  test("in a folder that is not there cannot be opened", async () => {
    await expect(open({}, join(folder, "no", "folder.db"))).rejects.toMatchObject({
      code: "TENFOLD_QUEUEING_STORAGE_FAILED",
    });
  });

  test("outlives the thread that serves it: the next call starts another", async () => {
    const started: threads.Worker[] = [];
    const { Worker } = threads;
    threads.Worker = class extends Worker {
      constructor(...given: ConstructorParameters<typeof Worker>) {
        super(...given);
        started.push(this);
      }
    };
    syncBuiltinESMExports();
    try {
      const queue = await open();
      await queue.enqueue(message);
      await started[0]?.terminate();
      expect((await queue.enqueue(message)).status).toBe("duplicate");
      const [under] = await Promise.allSettled([queue.stats(), started[1]?.terminate()]);
      if (under.status === "rejected") {
        expect(under.reason).toMatchObject({ code: "TENFOLD_QUEUEING_UNAVAILABLE" });
      }
      expect((await queue.stats()).accepted).toBe(1);
      expect(started.length).toBe(3);
      await queue.close();
    } finally {
      threads.Worker = Worker;
      syncBuiltinESMExports();
    }
  });
});
