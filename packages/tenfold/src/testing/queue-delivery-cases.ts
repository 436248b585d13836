import assert from "node:assert/strict";

import { isTenfoldError } from "../runtime/errors.ts";
import {
  claim,
  longLeaseMs,
  message,
  patienceMs,
  type QueueCase,
  rejectsWith,
  settle,
  shortLeaseMs,
  sortOf,
  sortsOf,
  tokenOf,
  until,
} from "./queue-steps.ts";

/** Lanes, leases, outcomes and waiting. */
export const deliveryCases: Readonly<Record<string, QueueCase>> = {
  async "messages of one key come one at a time, in order"(queue) {
    for (let i = 1; i <= 5; i++) await queue.enqueue(message(i));
    for (let i = 1; i <= 5; i++) {
      const jobs = await claim(queue);
      assert.deepEqual(sortsOf(jobs), [sortOf(i)]);
      assert.deepEqual(await claim(queue), [], "nothing else while one is out");
      await settle(queue, jobs, "done");
    }
  },

  async "messages of different keys come together, oldest first"(queue) {
    for (let i = 1; i <= 5; i++) await queue.enqueue(message(i, { key: `k${i}` }));
    assert.deepEqual(sortsOf(await claim(queue, { max: 3 })), [1, 2, 3].map(sortOf));
    assert.deepEqual(sortsOf(await claim(queue)), [4, 5].map(sortOf));
  },

  async "a message that is retried keeps its place and blocks its key until the delay ends"(queue) {
    await queue.enqueue(message(1));
    await queue.enqueue(message(2));
    await settle(queue, await claim(queue), "retry", shortLeaseMs);
    assert.equal((await queue.stats()).delayed, 1);
    const [again] = await claim(queue, { waitMs: patienceMs });
    assert.equal(again?.sort, sortOf(1));
    assert.equal(again?.attempt, 2);
  },

  async "a dead message does not block its key"(queue) {
    await queue.enqueue(message(1));
    await queue.enqueue(message(2));
    await settle(queue, await claim(queue), "dead");
    assert.deepEqual(sortsOf(await claim(queue)), [sortOf(2)]);
    assert.equal((await queue.stats()).dead, 1);
  },

  async "a lease that ends hands out again, with a greater token, and refuses the late"(queue) {
    await queue.enqueue(message(1));
    const late = await claim(queue, { leaseMs: shortLeaseMs });
    const [again] = await claim(queue, { waitMs: patienceMs });
    assert.ok(again !== undefined, "handed out again");
    assert.equal(again.attempt, 2);
    assert.ok(again.token > tokenOf(late), "the token grows");
    for (const result of ["done", "dead", "release"] as const) {
      assert.deepEqual(await settle(queue, late, result), [again.sequence]);
    }
    assert.deepEqual(await settle(queue, [again], "done"), []);
  },

  async "done is taken after the lease ended as long as nobody else has the message"(queue) {
    await queue.enqueue(message(1, { key: "first" }));
    await queue.enqueue(message(2));
    const first = await claim(queue, { max: 1 });
    const late = await claim(queue, { max: 1, leaseMs: shortLeaseMs });
    await settle(queue, first, "release");
    // The owner looks at leases when somebody claims, and the older message is given out first.
    await until(async () => {
      const again = await claim(queue, { max: 1 });
      assert.deepEqual(sortsOf(again), [sortOf(1)]);
      await settle(queue, again, "release");
      return (await queue.stats()).leased === 0;
    });
    assert.deepEqual(await settle(queue, late, "done"), []);
    assert.equal((await queue.stats()).done, 1);
  },

  async "settling again is no second outcome"(queue) {
    for (let i = 1; i <= 3; i++) await queue.enqueue(message(i, { key: `k${i}` }));
    const [a, b, c] = await claim(queue);
    for (let time = 0; time < 2; time++) {
      assert.deepEqual(await settle(queue, [a], "done"), []);
      assert.deepEqual(await settle(queue, [b], "dead"), []);
      assert.deepEqual(await settle(queue, [c], "retry", longLeaseMs), []);
    }
    assert.deepEqual(await settle(queue, [a], "dead"), [a?.sequence], "the first outcome stands");
    const { done, dead, delayed } = await queue.stats();
    assert.deepEqual({ done, dead, delayed }, { done: 1, dead: 1, delayed: 1 });
  },

  async "unknown sequences and tokens are refused"(queue) {
    await queue.enqueue(message(1));
    const [job] = await claim(queue);
    assert.ok(job !== undefined);
    const wrong = [
      { ...job, sequence: job.sequence + 1n },
      { ...job, sequence: 2n ** 62n },
      { ...job, token: job.token + 1n },
      { ...job, token: 0n },
    ];
    assert.equal((await settle(queue, wrong, "done")).length, wrong.length);
    assert.equal((await queue.stats()).leased, 1);
  },

  async "a released message comes again at once and the attempt does not count"(queue) {
    await queue.enqueue(message(1));
    const jobs = await claim(queue);
    assert.deepEqual(await settle(queue, jobs, "release"), []);
    const [again] = await claim(queue);
    assert.equal(again?.attempt, 1);
    assert.ok(again.token > tokenOf(jobs));
  },

  async "a waiting claim is answered when a message comes"(queue) {
    const waiting = claim(queue, { waitMs: patienceMs });
    const second = claim(queue, { waitMs: patienceMs });
    await claim(queue);
    await queue.enqueue(message(1, { key: "a" }));
    await queue.enqueue(message(2, { key: "b" }));
    const jobs = [...(await waiting), ...(await second)];
    assert.deepEqual(sortsOf(jobs).sort(), [1, 2].map(sortOf));
  },

  async "a waiting claim is answered when its key's turn comes"(queue) {
    await queue.enqueue(message(1));
    await queue.enqueue(message(2));
    const first = await claim(queue);
    const waiting = claim(queue, { waitMs: patienceMs });
    await claim(queue);
    await settle(queue, first, "done");
    assert.deepEqual(sortsOf(await waiting), [sortOf(2)]);
  },

  async "a claim that waits in vain is answered with nothing"(queue) {
    assert.deepEqual(await claim(queue, { waitMs: 20 }), []);
  },

  async "a claim that its caller aborts takes nothing"(queue) {
    for (let round = 1; round <= 10; round++) {
      const controller = new AbortController();
      const { signal } = controller;
      const waiting = queue
        .claim({ max: 1, leaseMs: longLeaseMs, waitMs: patienceMs }, { signal })
        .catch((error: unknown) => error);
      const enqueued = queue.enqueue(message(round));
      // Before the message is there, or while the claim that it answers is being committed.
      if (round % 2 === 0) await enqueued;
      controller.abort();
      const answer = await waiting;
      await enqueued;
      if (Array.isArray(answer)) await settle(queue, answer, "release");
      else assert.ok(isTenfoldError(answer, "TENFOLD_ABORTED"), String(answer));
      const [job] = await claim(queue, { waitMs: patienceMs });
      assert.equal(job?.attempt, 1, `round ${round}`);
      await settle(queue, [job], "done");
    }
  },

  async "after close calls are refused, and close may be called again"(queue) {
    const waiting = claim(queue, { waitMs: patienceMs });
    await claim(queue);
    await queue.close();
    assert.deepEqual(await waiting, [], "a claim that waits ends with nothing");
    await queue.close();
    await rejectsWith("TENFOLD_QUEUEING_UNAVAILABLE", queue.enqueue(message(1)));
  },
};
