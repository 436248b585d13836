import fc from "fast-check";
import { expect, it } from "vitest";

import { seededRandom } from "../runtime/random.ts";
import { policyStand } from "../testing/policy-stand.ts";
import { fullJitter, isIdempotentMethod, retryVerdict } from "./retry.ts";

it.each([
  ["neverSent", "free", "free"],
  ["closedIdle", "free", "never"],
  ["noAnswer", "budget", "never"],
  ["refused", "budget", "never"],
  ["cut", "never", "never"],
] as const)("%s: %s when it can be repeated, %s when it cannot", (failure, repeatable, other) => {
  expect(retryVerdict(failure, true)).toBe(repeatable);
  expect(retryVerdict(failure, false)).toBe(other);
});

it("knows the idempotent methods", () => {
  expect(["GET", "HEAD", "PUT", "DELETE"].every(isIdempotentMethod)).toBe(true);
  expect(["POST", "PATCH", "get", "CONNECT"].some(isIdempotentMethod)).toBe(false);
});

it("backs off from 25 to 250 ms with full jitter", () => {
  const random = seededRandom("j");
  for (const [retry, limit] of [
    [0, 25],
    [1, 50],
    [2, 100],
    [3, 200],
    [4, 250],
    [1e6, 250],
  ] as const) {
    const delays = Array.from({ length: 300 }, () => fullJitter(retry, random));
    expect(Math.max(...delays)).toBeLessThan(limit);
    expect(Math.max(...delays)).toBeGreaterThan(limit * 0.9);
    expect(Math.min(...delays)).toBeLessThan(limit * 0.1);
  }
});

it("waits from 0 to what its limits say, longer by no more than double, whatever they are", () => {
  const limits = fc.record({ firstMs: fc.nat(60_000), maxMs: fc.nat(60_000) });
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.nat(2_000), chance, limits, (retry, part, backOff) => {
      const random = { next: () => part };
      const delay = fullJitter(retry, random, backOff);
      expect(delay).toBeGreaterThanOrEqual(0);
      expect(delay).toBeLessThanOrEqual(part * backOff.maxMs);
      const next = fullJitter(retry + 1, random, backOff);
      expect(next).toBeGreaterThanOrEqual(delay);
      expect(next).toBeLessThanOrEqual(2 * delay);
    }),
  );
});

it("makes no attempt that may do harm, none too many, and none that the budget does not pay", async () => {
  const call = fc.record({ afterMs: fc.nat(300), idempotent: fc.boolean(), fails: fc.nat(4) });
  const budgets = fc.record({
    ratio: fc.constantFrom(0, 0.1, 0.5, 1),
    reservePerSecond: fc.constantFrom(0, 1),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(call, { maxLength: 40 }), budgets, async (calls, budget) => {
      const { clock, policy } = policyStand({
        retry: { attemptsMax: 3 },
        retryBudget: { ...budget, ttlMs: 600_000 },
        breaker: false,
      });
      let retries = 0;
      const run = async ({ afterMs, idempotent, fails }: (typeof calls)[number]) => {
        await clock.sleep(afterMs);
        let attempts = 0;
        const callee = async ({ attempt }: { readonly attempt: number }) => {
          expect(attempt).toBe(++attempts);
          if (attempt > 1) retries++;
          await clock.sleep(1);
          if (attempt <= fails) throw new Error("down");
          return attempt;
        };
        const value = await policy.run(callee, { idempotent }).catch(() => undefined);
        expect(attempts).toBeLessThanOrEqual(idempotent ? Math.min(3, fails + 1) : 1);
        expect(value).toBe(attempts > fails ? attempts : undefined);
      };
      const running = calls.map(run);
      await clock.advance(5_000);
      await Promise.all(running);
      const { ratio, reservePerSecond } = budget;
      expect(retries).toBeLessThanOrEqual(ratio * calls.length + reservePerSecond * 600 + 1e-6);
    }),
    { numRuns: 60 },
  );
});
