import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, test } from "vitest";

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
