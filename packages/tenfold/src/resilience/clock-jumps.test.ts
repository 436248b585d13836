import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { seededRandom } from "../runtime/random.ts";
import { type Reading, setClock, strangeNows } from "../testing/set-clock.ts";
import { bulkhead } from "./bulkhead.ts";
import { type CallPolicyOptions, callPolicy } from "./call-policy.ts";
import { callWindow } from "./call-window.ts";
import { circuitBreaker } from "./circuit-breaker.ts";
import { deadlineAfter } from "./deadline.ts";
import { EndTimes } from "./end-times.ts";
import { keyedLimiter } from "./keyed-limiter.ts";
import { gcra, slidingWindow } from "./rate-limiter.ts";
import { retryBudget } from "./retry-budget.ts";

/** Times one after the other as a clock says them that is set at will, and strange ones. */
const jumpingNows = fc.array(
  fc.oneof(fc.integer({ min: -1e7, max: 1e13 }), fc.double(), fc.constantFrom(...strangeNows)),
  { maxLength: 60 },
);

/** Set by so much, stopped, or broken. */
const anyReading: fc.Arbitrary<Reading> = fc.oneof(
  fc.integer({ min: -1e6, max: 1e6 }).map(
    (byMs): Reading =>
      (realMs) =>
        realMs + byMs,
  ),
  fc.integer({ min: -1e6, max: 1e6 }).map(
    (at): Reading =>
      () =>
        at,
  ),
  fc.constantFrom(...strangeNows).map(
    (at): Reading =>
      () =>
        at,
  ),
);

function stand(options: CallPolicyOptions = {}) {
  const set = setClock();
  const runtime = { clock: set.clock, random: seededRandom("jumps") };
  return { ...set, policy: callPolicy({ idempotent: true, ...options, runtime }) };
}
const hang = (): Promise<never> => new Promise(() => {});

describe("a deadline on a clock that is set", () => {
  it("ends its call on time when the clock is set back, or stands still", async () => {
    for (const reading of [(realMs: number) => realMs - 60_000, () => 0]) {
      const { advance, policy, realMs, set } = stand();
      const over = policy.run(hang, { deadlineMs: 300 }).catch(realMs);
      await advance(100);
      set(reading);
      await advance(2_000);
      expect(await over).toBeLessThanOrEqual(301);
    }
  });

  it("bounds attempts, delays and the time in line together", async () => {
    const { advance, policy, realMs, set, pending } = stand({
      tryTimeoutMs: 120,
      retry: { attemptsMax: 10, firstMs: 100, maxMs: 100 },
      bulkhead: { callsMax: 1, waitMs: 10_000 },
      breaker: false,
    });
    // Each attempt finds the clock where it was at the start.
    set(() => 0);
    const ends = [1, 2].map(() => policy.run(hang, { deadlineMs: 300 }).catch(realMs));
    await advance(5_000);
    for (const end of await Promise.all(ends)) expect(end).toBeLessThanOrEqual(301);
    expect([policy.bulkhead?.inUse, policy.bulkhead?.waiting, pending()]).toEqual([0, 0, 0]);
    expect(policy.explain().some(({ why }) => why === "deadline")).toBe(true);
  });

  it("ends each call within its time by timers, whatever the clock says meanwhile", async () => {
    const call = fc.record({
      afterMs: fc.nat(300),
      deadlineMs: fc.integer({ min: 1, max: 600 }),
      takesMs: fc.option(fc.nat(500), { nil: undefined }),
      fails: fc.boolean(),
    });
    const jump = fc.record({ afterMs: fc.nat(300), reading: anyReading });
    await fc.assert(
      fc.asyncProperty(
        fc.array(call, { maxLength: 20 }),
        fc.array(jump, { maxLength: 20 }),
        async (calls, jumps) => {
          const { advance, clock, policy, realMs, set, pending } = stand({
            tryTimeoutMs: 150,
            bulkhead: { callsMax: 2, waitersMax: 3, waitMs: 80 },
            breaker: { consecutiveMax: 4, openMs: 300, openMsMax: 600 },
            rateLimit: gcra({ perSecond: 50, burst: 5 }),
            retry: { attemptsMax: 3 },
          });
          const run = async ({ afterMs, deadlineMs, takesMs, fails }: (typeof calls)[number]) => {
            await clock.sleep(afterMs);
            const began = realMs();
            const callee = async (): Promise<void> => {
              if (takesMs === undefined) await hang();
              else await clock.sleep(takesMs);
              if (fails) throw new Error("down");
            };
            await policy.run(callee, { deadlineMs }).catch(() => {});
            expect(realMs() - began).toBeLessThanOrEqual(deadlineMs + 1);
          };
          const running = calls.map(run);
          for (const { afterMs, reading } of jumps) {
            await advance(afterMs);
            set(reading);
          }
          await advance(5_000);
          await Promise.all(running);
          expect([policy.bulkhead?.inUse, policy.bulkhead?.waiting]).toEqual([0, 0]);
          expect(pending()).toBe(0);
          // A clock that goes again: it all works again, however it was set before.
          set((at) => at - 3);
          for (let i = 0; i < 9; i++) {
            await advance(10_000);
            await policy.run(() => 1).catch(() => {});
          }
          await advance(10_000);
          expect(await policy.run(() => 1)).toBe(1);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("serves calls while the clock says nothing", async () => {
    for (const now of strangeNows) {
      const { policy, set } = stand();
      set(() => now);
      const left = await policy.run((call) => [call.remainingMs(), call.headers()]);
      expect(left).toEqual([2_000, { "tenfold-deadline-ms": "2000" }]);
    }
  });
});

it("deadline: what is left never grows, and is over in its time of a clock that goes", () => {
  fc.assert(
    fc.property(jumpingNows, fc.nat(1e9), fc.nat(600_000), (nows, from, longMs) => {
      const deadline = deadlineAfter(from, longMs);
      let last = longMs;
      for (const now of nows) {
        const left = deadline.remainingMs(now);
        expect(left).toBeGreaterThanOrEqual(0);
        expect(left).toBeLessThanOrEqual(last);
        last = left;
      }
      deadline.remainingMs(from);
      expect(deadline.remainingMs(from + longMs + 1_002)).toBe(0);
    }),
  );
});

/** One that lets calls through, and how many it lets through after a pause of `pauseMs`. */
interface Gate {
  readonly name: string;
  readonly make: () => (now: number) => boolean;
  readonly pauseMs: number;
  readonly burst: number;
}
const gates: readonly Gate[] = [
  {
    name: "gcra",
    make: () => {
      const limiter = gcra({ perSecond: 10, burst: 5 });
      return (now) => limiter.take(now) === 0;
    },
    pauseMs: 500,
    burst: 5,
  },
  {
    name: "slidingWindow",
    make: () => {
      const limiter = slidingWindow({ limit: 20, windowMs: 2_000 });
      return (now) => limiter.take(now) === 0;
    },
    pauseMs: 4_000,
    burst: 20,
  },
  {
    name: "keyedLimiter",
    make: () => {
      const limiter = keyedLimiter({
        keysMax: 10,
        limiter: () => gcra({ perSecond: 10, burst: 5 }),
      });
      return (now) => limiter.take(now, "a") === 0;
    },
    pauseMs: 500,
    burst: 5,
  },
  {
    name: "retryBudget",
    make: () => {
      const budget = retryBudget({ ratio: 0, reservePerSecond: 3, ttlMs: 1_000 });
      return (now) => budget.withdraw(now);
    },
    pauseMs: 1_100,
    burst: 3,
  },
];

it.each(gates)(
  "$name: after any readings its limit holds, and it is whole again after a pause",
  ({ make, pauseMs, burst }) => {
    fc.assert(
      fc.property(jumpingNows, fc.nat(1e9), (nows, from) => {
        const goes = make();
        const allowed = (now: number): number =>
          Array.from({ length: burst * 2 }, () => goes(now)).filter(Boolean).length;
        for (const now of nows) expect(allowed(now)).toBeLessThanOrEqual(burst);
        goes(from);
        // Crossed readings may hide a second.
        expect(allowed(from + pauseMs + 1_001)).toBe(burst);
        expect(allowed(from + pauseMs + 1_001)).toBe(0);
        expect(allowed(Number.NaN)).toBe(0);
      }),
    );
  },
);

it("circuitBreaker: asks again in its time after any readings, and closes when all is well", () => {
  fc.assert(
    fc.property(jumpingNows, fc.nat(1e9), (nows, from) => {
      const breaker = circuitBreaker({ random: seededRandom("jumps") });
      for (const now of nows) {
        for (let i = 0; i < 12; i++) breaker.settle(breaker.admit(now), now, "failure", Number.NaN);
        expect(breaker.retryAfterMs(now)).toBeLessThanOrEqual(60_000);
      }
      breaker.state(from);
      let at = from;
      for (let round = 0; round < 10; round++) {
        at += 61_000;
        for (let i = 0; i < 3; i++) breaker.settle(breaker.admit(at), at, "success", 1);
      }
      expect(breaker.state(at)).toBe("closed");
    }),
  );
});

it("bulkhead: who waits is let in or has left by the next place, at any readings", () => {
  fc.assert(
    fc.property(jumpingNows, (nows) => {
      const places = bulkhead<number>({ callsMax: 1, waitersMax: 5, waitMs: 100 });
      places.enter();
      for (const now of nows) {
        const waiter = places.wait(now, 1, now);
        if (waiter !== undefined) expect(waiter.waitMs).toBeLessThanOrEqual(100);
        if (places.leave(now) === undefined) {
          expect([places.inUse, places.waiting]).toEqual([0, 0]);
          places.enter();
        } else expect(places.inUse).toBe(1);
      }
    }),
  );
});

it("callWindow: counts end with the window, of times beyond any date too", () => {
  fc.assert(
    fc.property(jumpingNows, (nows) => {
      const window = callWindow(100);
      for (const now of nows) window.add(now, true, true);
      expect(window.failures).toBe(window.parts().reduce((sum, [, failed]) => sum + failed, 0));
    }),
  );
  const window = callWindow(100);
  for (const now of [5, Number.NaN, 1e20, 1e22]) window.add(now, true, true);
  expect(window.failures).toBe(4);
  window.turn(105);
  expect(window.failures).toBe(0);
});

it("EndTimes: ends each at its time by timers, whatever the clock says", async () => {
  const plan = fc.array(fc.tuple(fc.nat(50), fc.integer({ min: 1, max: 300 }), anyReading), {
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(plan, async (each) => {
      const { clock, advance, realMs, set, pending } = setClock();
      const ends = new EndTimes(clock);
      const late: number[] = [];
      for (const [afterMs, inMs, reading] of each) {
        await advance(afterMs);
        const due = realMs() + inMs;
        const onTime = (): void => void late.push(realMs() - due);
        ends.add({ endsAt: clock.now() + inMs, place: -1, onTime }, inMs);
        set(reading);
      }
      await advance(300);
      expect(late).toEqual(each.map(() => 0));
      expect(pending()).toBe(0);
    }),
  );
});
