import assert from "node:assert/strict";

import type { Queue } from "../queueing/queue.ts";
import type { QueueLimits } from "../queueing/queue-limits.ts";
import {
  claim,
  message,
  patienceMs,
  type QueueCase,
  rejectsWith,
  settle,
  shortLeaseMs,
  sortOf,
  sortsOf,
} from "./queue-steps.ts";

export interface LimitedQueueCase {
  readonly limits: Partial<QueueLimits>;
  readonly body: QueueCase;
}

/** What happens at the limits, which are drawn tight for it. */
export const limitCases: Readonly<Record<string, LimitedQueueCase>> = {
  "a full queue pushes back, and still answers for what it has": {
    limits: { openCountMax: 3, retryAfterMs: 123 },
    async body(queue) {
      for (let i = 1; i <= 3; i++) await queue.enqueue(message(i));
      const refused = await rejectsWith("TENFOLD_QUEUEING_FULL", queue.enqueue(message(4)));
      assert.equal(refused.retryable, true);
      assert.equal(refused.retryAfterMs, 123);
      assert.equal((await queue.enqueue(message(2))).status, "duplicate");
      await settle(queue, await claim(queue), "done");
      assert.equal((await queue.enqueue(message(4))).status, "accepted");
    },
  },
  "a queue that holds too many bytes pushes back": {
    limits: { openBytesMax: 100 },
    async body(queue) {
      await queue.enqueue(message(1, { body: "x".repeat(80) }));
      const second = message(2, { body: "x".repeat(80) });
      await rejectsWith("TENFOLD_QUEUEING_FULL", queue.enqueue(second));
      await settle(queue, await claim(queue), "done");
      assert.equal((await queue.enqueue(second)).status, "accepted");
    },
  },
  "a message that ends no hand-out is dead, and its last chance is alone": {
    limits: { lostMax: 3 },
    async body(queue) {
      const keys = ["a", "b", "c"];
      for (const [i, key] of keys.entries()) await queue.enqueue(message(i, { key }));
      for (let time = 1; time <= 2; time++) {
        const jobs = await claim(queue, { leaseMs: shortLeaseMs, waitMs: patienceMs });
        assert.equal(jobs.length, keys.length, `hand-out ${time}`);
        assert.ok(jobs.every(({ attempt }) => attempt === time));
      }
      for (const key of keys) {
        const jobs = await claim(queue, { leaseMs: shortLeaseMs, waitMs: patienceMs });
        assert.deepEqual(
          jobs.map((job) => job.key),
          [key],
        );
        if (key !== "a") await settle(queue, jobs, "done");
      }
      const left = await claim(queue, { waitMs: 10 * shortLeaseMs });
      assert.deepEqual(left, []);
      const { dead, done } = await queue.stats();
      assert.deepEqual({ dead, done }, { dead: 1, done: 2 });
    },
  },
  "done messages are forgotten beyond the limit, oldest first, and stay counted": {
    limits: { doneCountMax: 10 },
    async body(queue) {
      for (let i = 1; i <= 30; i++) {
        await queue.enqueue(message(i));
        await settle(queue, await claim(queue), "done");
      }
      const kept = await queue.completed({ after: 0n, limit: 100 });
      assert.deepEqual(
        sortsOf(kept),
        Array.from({ length: 10 }, (_, i) => sortOf(21 + i)),
      );
      const { accepted, done } = await queue.stats();
      assert.deepEqual({ accepted, done }, { accepted: 30, done: 30 });
    },
  },
};

export type QueueRestartCase = (queue: Queue, reopen: () => Promise<Queue>) => Promise<void>;

/** What a restart of the owner leaves as it was. */
export const restartCases: Readonly<Record<string, QueueRestartCase>> = {
  async "what was acknowledged is there after a restart"(queue, reopen) {
    for (let i = 1; i <= 4; i++) await queue.enqueue(message(i, { key: `k${i}` }));
    const [a, b, c] = await claim(queue, { max: 3 });
    await settle(queue, [a], "done");
    await settle(queue, [b], "dead");
    await settle(queue, [c], "retry", 0);
    const before = await queue.stats();
    const next = await reopen();
    const { oldestMs: _, ...counts } = await next.stats();
    const { oldestMs: __, ...counted } = before;
    assert.deepEqual(counts, counted);
    assert.equal((await next.enqueue(message(1, { key: "k1" }))).status, "duplicate");
    assert.equal((await next.completed({ after: 0n, limit: 9 })).length, 1);
    const rest = await claim(next, { waitMs: patienceMs });
    assert.deepEqual(sortsOf(rest), [3, 4].map(sortOf));
    const fifth = await next.enqueue(message(5));
    assert.equal(fifth.sequence, (a?.sequence ?? 0n) + 4n, "sequences go on");
  },

  async "a lease outlives its owner: it settles later, and its end hands out again"(queue, reopen) {
    await queue.enqueue(message(1, { key: "a" }));
    await queue.enqueue(message(2, { key: "b" }));
    const [long] = await claim(queue, { max: 1 });
    const [short] = await claim(queue, { max: 1, leaseMs: shortLeaseMs });
    const next = await reopen();
    const [again] = await claim(next, { waitMs: patienceMs });
    assert.equal(again?.sort, short?.sort);
    assert.ok(again !== undefined && again.token > (short?.token ?? 0n));
    assert.deepEqual(await settle(next, [long], "done"), []);
  },
};
