import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { memoryQueueTable } from "../engines/memory/queue-table.ts";
import type { Job, QueueStats } from "./queue.ts";
import { QueueCore, type QueueOperations, type QueueTime } from "./queue-core.ts";
import { queueLimits } from "./queue-limits.ts";

/** A core that is asked one operation at a time, at times that the test chooses. */
function drivenCore(limits = {}, table = memoryQueueTable()) {
  const core = new QueueCore(table, { ...queueLimits, ...limits });
  return {
    core,
    table,
    ask<Name extends keyof QueueOperations>(
      operation: Name,
      request: QueueOperations[Name]["request"],
      time: QueueTime,
    ): QueueOperations[Name]["answer"] {
      const outcome = core.apply({ operation, request } as never, time);
      core.finish();
      if ("error" in outcome) throw new Error(outcome.error.code);
      return outcome.answer as QueueOperations[Name]["answer"];
    },
  };
}

const at = (nowMs: number, wallNowMs = 1_000_000): QueueTime => ({ nowMs, wallNowMs });
const message = (i: number, key = "k") => ({
  ...{ key, sort: String(i).padStart(5, "0") },
  ...{ body: "{}", idempotencyKey: String(i) },
});
const claim = { max: 10, leaseMs: 100 };

describe("queue time", () => {
  test("leases end by the monotonic clock, whatever the wall clock does", () => {
    const { ask } = drivenCore();
    ask("enqueue", message(1), at(0));
    expect(ask("claim", claim, at(0)).length).toBe(1);
    expect(ask("claim", claim, at(99.9, 9e12))).toEqual([]);
    expect(ask("claim", claim, at(100, 0)).length).toBe(1);
  });

  test("stands still while no owner runs: a lease goes on with what was left of it", () => {
    const first = drivenCore();
    first.ask("enqueue", message(1), at(5_000));
    first.ask("claim", claim, at(5_000));
    first.ask("enqueue", message(2, "other"), at(5_060));
    // The machine was started anew, so its monotonic clock is somewhere else.
    const { ask } = drivenCore({}, first.table);
    expect(ask("claim", { max: 1, leaseMs: 9_999 }, at(7))[0]?.key).toBe("other");
    expect(ask("claim", claim, at(46))).toEqual([]);
    expect(ask("claim", claim, at(47))[0]?.attempt).toBe(2);
  });

  test("says in how long something may become ready", () => {
    const { ask, core } = drivenCore();
    expect(core.readiness()).toEqual({ ready: false, nextDueInMs: undefined });
    ask("enqueue", message(1), at(0));
    expect(core.readiness()).toEqual({ ready: true, nextDueInMs: undefined });
    ask("claim", claim, at(10));
    ask("stats", null, at(50));
    expect(core.readiness()).toEqual({ ready: false, nextDueInMs: 60 });
  });

  test("done messages are forgotten after their retention, a few with each that ends", () => {
    const { ask } = drivenCore({ doneRetentionMs: 1_000 });
    const end = (i: number, nowMs: number): void => {
      ask("enqueue", message(i), at(nowMs));
      const [job] = ask("claim", claim, at(nowMs));
      const { sequence, token } = job as Job;
      ask("settle", [{ sequence, token, result: "done" }], at(nowMs));
    };
    for (let i = 1; i <= 5; i++) end(i, 0);
    const kept = (nowMs: number) => ask("completed", { after: 0n, limit: 99 }, at(nowMs)).length;
    end(6, 1_000);
    expect(kept(1_000)).toBe(6);
    end(7, 1_001);
    expect(kept(1_001)).toBe(5);
    for (let i = 8; i <= 9; i++) end(i, 1_001);
    expect(kept(1_001)).toBe(4);
    expect(ask("enqueue", message(1), at(1_001)).status, "beyond the retention").toBe("accepted");
  });
});

const step = fc.record({
  kind: fc.constantFrom("enqueue", "claim", "done", "retry", "dead", "release"),
  key: fc.constantFrom("a", "b", "c"),
  pick: fc.nat({ max: 20 }),
  passMs: fc.nat({ max: 60 }),
});

test("any history: the counters add up, a key has one message out, tokens and order hold", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (history) => {
      const { ask } = drivenCore({ lostMax: 3 });
      const held: Job[] = [];
      const doneOf = new Map<string, bigint[]>();
      let nowMs = 0;
      let token = 0n;
      history.forEach(({ kind, key, pick, passMs }, i) => {
        nowMs += passMs;
        if (kind === "enqueue") {
          ask("enqueue", message(i, key), at(nowMs));
        } else if (kind === "claim") {
          const jobs = ask("claim", { max: 1 + pick, leaseMs: 50 }, at(nowMs));
          expect(new Set(jobs.map((job) => job.key)).size).toBe(jobs.length);
          for (const job of jobs) expect(job.token).toBeGreaterThan(token);
          token = jobs.at(-1)?.token ?? token;
          held.push(...jobs);
        } else if (held.length > 0) {
          const [job] = held.splice(pick % held.length, 1) as [Job];
          const ids = { sequence: job.sequence, token: job.token };
          const more = { result: kind, delayMs: passMs, reason: "" };
          const { refused } = ask("settle", [{ ...ids, ...more } as never], at(nowMs));
          if (kind === "done" && refused.length === 0) {
            doneOf.set(job.key, [...(doneOf.get(job.key) ?? []), job.sequence]);
          }
        }
        expectSound(ask("stats", null, at(nowMs)));
      });
      for (const sequences of doneOf.values()) {
        expect(sequences).toEqual([...sequences].sort((a, b) => Number(a - b)));
      }
    }),
  );
});

function expectSound(stats: QueueStats): void {
  const { accepted, done, dead, ready, leased, delayed } = stats;
  expect(done + dead + ready + leased + delayed).toBe(accepted);
  expect(Math.min(done, dead, ready, leased, delayed)).toBeGreaterThanOrEqual(0);
  expect(leased).toBeLessThanOrEqual(3);
}
