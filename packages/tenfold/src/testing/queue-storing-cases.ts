import assert from "node:assert/strict";

import type { Job, NewMessage } from "../queueing/queue.ts";
import { seededRandom } from "../runtime/random.ts";
import {
  claim,
  claimOf,
  message,
  patienceMs,
  type QueueCase,
  rejectsWith,
  settle,
  sortOf,
  sortsOf,
} from "./queue-steps.ts";

/** What goes in, what is kept and what is shown of it. */
export const storingCases: Readonly<Record<string, QueueCase>> = {
  async "the same idempotency key stores one message and answers with it"(queue) {
    const first = await queue.enqueue(message(1, { body: '"first"', fingerprint: "f" }));
    const second = await queue.enqueue(message(1, { body: '"second"', fingerprint: "f" }));
    assert.deepEqual(first, { status: "accepted", sequence: first.sequence, body: '"first"' });
    assert.deepEqual(second, { status: "duplicate", sequence: first.sequence, body: '"first"' });
    await settle(queue, await claim(queue), "done");
    const third = await queue.enqueue(message(1, { body: '"third"', fingerprint: "f" }));
    assert.deepEqual(third, second, "also when the first is done");
    assert.equal((await queue.stats()).accepted, 1);
  },

  async "the same idempotency key with another fingerprint is a conflict"(queue) {
    const { sequence } = await queue.enqueue(message(1, { fingerprint: "f" }));
    for (const other of [message(1, { fingerprint: "g" }), message(1)]) {
      const again = await queue.enqueue(other);
      assert.equal(again.status, "conflict");
      assert.equal(again.sequence, sequence);
    }
    assert.equal((await queue.stats()).accepted, 1);
  },

  async "an idempotency key belongs to its key"(queue) {
    await queue.enqueue(message(1, { key: "a" }));
    assert.equal((await queue.enqueue(message(1, { key: "b" }))).status, "accepted");
  },

  async "of 50 racers with one idempotency key one is accepted"(queue) {
    const racers = Array.from({ length: 50 }, () => queue.enqueue(message(1)));
    const results = await Promise.all(racers);
    const accepted = results.filter(({ status }) => status === "accepted");
    assert.equal(accepted.length, 1);
    assert.equal(new Set(results.map(({ sequence }) => sequence)).size, 1);
    assert.equal((await claim(queue)).length, 1);
  },

  async "messages come out as they went in"(queue) {
    const body = JSON.stringify({ text: "한국어 🐘 \\ \" ' \u2028 ; DROP TABLE messages; --" });
    const given = { key: "키🔑'", sort: "0;\"'", body, idempotencyKey: "i'd\"🔑" };
    await queue.enqueue(given);
    const [job] = await claim(queue);
    assert.deepEqual([job?.key, job?.sort, job?.body], [given.key, given.sort, body]);
    const [pending] = await queue.pending({ key: given.key, limit: 1 });
    assert.deepEqual([pending?.key, pending?.sort, pending?.body], [given.key, given.sort, body]);
  },

  async "pending shows what is accepted until it is done, dead messages too"(queue) {
    for (let i = 1; i <= 3; i++) await queue.enqueue(message(i));
    await queue.enqueue(message(9, { key: "other" }));
    const shown = async (): Promise<string[]> =>
      sortsOf(await queue.pending({ key: "k", limit: 10 }));
    assert.deepEqual(await shown(), [3, 2, 1].map(sortOf), "ready");
    const [first] = await claim(queue, { max: 1 });
    assert.deepEqual(await shown(), [3, 2, 1].map(sortOf), "leased");
    await settle(queue, [first], "retry", 0);
    assert.deepEqual(await shown(), [3, 2, 1].map(sortOf), "delayed");
    await settle(queue, await claim(queue, { max: 1, waitMs: patienceMs }), "done");
    assert.deepEqual(await shown(), [3, 2].map(sortOf), "done");
    await settle(queue, await claimOf(queue, "k"), "dead");
    assert.deepEqual(await shown(), [3, 2].map(sortOf), "dead");
  },

  async "pending pages are full, in order, and nothing comes twice"(queue) {
    const order = [5, 3, 11, 1, 8, 2, 10, 4, 7, 6, 9];
    for (const i of order) await queue.enqueue(message(i));
    const seen: string[] = [];
    for (;;) {
      const before = seen.at(-1);
      const from = before === undefined ? {} : { before };
      const page = await queue.pending({ key: "k", limit: 4, ...from });
      seen.push(...sortsOf(page));
      if (page.length < 4) break;
    }
    assert.deepEqual(seen, [...order].sort((a, b) => b - a).map(sortOf));
  },

  async "sorts are ordered by code point"(queue) {
    const ascending = ["A", "a", "~", "é", "\uffee", "🐘"];
    for (const [i, sort] of ascending.entries()) await queue.enqueue(message(i, { sort }));
    assert.deepEqual(sortsOf(await queue.pending({ key: "k", limit: 10 })), ascending.reverse());
  },

  async "a sort is unique among the messages of a key that are not done"(queue) {
    await queue.enqueue(message(1));
    const clash = message(1, { idempotencyKey: "another" });
    await rejectsWith("TENFOLD_QUEUEING_MESSAGE_INVALID", queue.enqueue(clash));
    await settle(queue, await claim(queue), "done");
    assert.equal((await queue.enqueue(clash)).status, "accepted");
  },

  async "completed lists what is done in that order, page by page, and misses nothing"(queue) {
    for (let i = 1; i <= 5; i++) await queue.enqueue(message(i, { key: `k${i}` }));
    const jobs = await claim(queue);
    for (const i of [4, 0, 2, 1]) await settle(queue, [jobs[i]], "done");
    const first = await queue.completed({ after: 0n, limit: 3 });
    assert.deepEqual(sortsOf(first), [5, 1, 3].map(sortOf));
    await settle(queue, [jobs[3]], "done");
    const rest = await queue.completed({ after: first.at(-1)?.completion ?? 0n, limit: 3 });
    assert.deepEqual(sortsOf(rest), [2, 4].map(sortOf));
    assert.ok(first.every(({ key, doneAtMs }) => key.startsWith("k") && doneAtMs > 0));
  },

  async "the counters add up after every step"(queue) {
    const random = seededRandom("queue-conformance");
    const held: Job[] = [];
    for (let step = 0; step < 300; step++) {
      const draw = random.below(10);
      if (draw < 4) await queue.enqueue(message(step, { key: `k${random.below(5)}` }));
      else if (draw < 7) held.push(...(await claim(queue, { max: 3, leaseMs: 1 + 20 * draw })));
      else {
        const result = (["done", "retry", "dead", "release"] as const)[random.below(4)] ?? "done";
        await settle(queue, held.splice(0, 2), result, random.below(5));
      }
      const stats = await queue.stats();
      const { accepted, done, dead, ready, leased, delayed } = stats;
      assert.equal(accepted, done + dead + ready + leased + delayed, JSON.stringify(stats));
      assert.ok(Math.min(...Object.values(stats)) >= 0, JSON.stringify(stats));
    }
  },

  async "messages beyond the limits are refused and nothing is stored"(queue) {
    const wrong: Partial<NewMessage>[] = [
      { key: "" },
      { key: "x".repeat(257) },
      { key: "a\0b" },
      { sort: "" },
      { sort: "\ud800" },
      { idempotencyKey: "" },
      { idempotencyKey: "é".repeat(129) },
      { fingerprint: "x".repeat(257) },
      { body: "x".repeat(65_537) },
      { body: "🐘".repeat(16_385) },
      { body: 7 as never },
    ];
    for (const part of wrong) {
      const refused = queue.enqueue(message(1, part));
      await rejectsWith("TENFOLD_QUEUEING_MESSAGE_INVALID", refused);
    }
    for (const [max, leaseMs, waitMs] of [
      [0, 1, 0],
      [257, 1, 0],
      [1, 0, 0],
      [1, 1.5, 0],
      [1, 1, 60_001],
      [1, 1, -1],
    ] as const) {
      await rejectsWith("TENFOLD_QUEUEING_MESSAGE_INVALID", queue.claim({ max, leaseMs, waitMs }));
    }
    const page = queue.pending({ key: "k", limit: 1_001 });
    await rejectsWith("TENFOLD_QUEUEING_MESSAGE_INVALID", page);
    assert.equal((await queue.stats()).accepted, 0);
  },
};
