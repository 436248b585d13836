import fc from "fast-check";
import { expect, it } from "vitest";

import { gcra, type RateLimiter, slidingWindow } from "./rate-limiter.ts";

const limiters: readonly [name: string, make: () => RateLimiter, burst: number][] = [
  ["gcra", () => gcra({ perSecond: 10, burst: 5 }), 5],
  ["slidingWindow", () => slidingWindow({ limit: 20, windowMs: 2_000 }), 20],
];
const waits = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 300 });

it.each(limiters)("%s: goes after exactly the wait it asked for, and not before", (_, make) => {
  fc.assert(
    fc.property(waits, (steps) => {
      const limiter = make();
      let now = 0;
      for (const step of steps) {
        now += step;
        const waitMs = limiter.take(now);
        if (waitMs === 0) continue;
        if (waitMs > 1) expect(limiter.take(now + waitMs * 0.99)).toBeGreaterThan(0);
        now += waitMs + 1e-6;
        expect(limiter.take(now)).toBe(0);
      }
    }),
  );
});

it("gcra: lets through rate × time + burst within any span, and no less in the long run", () => {
  fc.assert(
    fc.property(waits, (steps) => {
      const limiter = gcra({ perSecond: 10, burst: 5 });
      const went: number[] = [];
      let now = 0;
      for (const step of steps) {
        now += step;
        if (limiter.take(now) === 0) went.push(now);
      }
      for (const [from, start] of went.entries()) {
        for (let to = from; to < went.length; to++) {
          const spanMs = (went[to] as number) - start;
          expect(to - from + 1).toBeLessThanOrEqual(5 + spanMs / 100 + 1e-6);
        }
      }
    }),
  );
  const limiter = gcra({ perSecond: 3, burst: 1 });
  let went = 0;
  for (let now = 0; now < 100_000; now++) if (limiter.take(now) === 0) went++;
  expect(went).toBeGreaterThanOrEqual(299);
});

it("slidingWindow: lets not twice the limit through at the edge of a window", () => {
  const limiter = slidingWindow({ limit: 100, windowMs: 1_000 });
  const burst = (now: number) =>
    Array.from({ length: 200 }, () => limiter.take(now)).filter((wait) => wait === 0).length;
  expect(burst(999)).toBe(100);
  expect(burst(1_001)).toBe(0);
  expect(burst(1_500)).toBe(50);
  expect(burst(3_600)).toBe(100);
});

it.each(limiters)("%s: a clock that is set back neither opens nor closes it", (_, make, burst) => {
  const limiter = make();
  for (let i = 0; i < burst; i++) expect(limiter.take(1e10)).toBe(0);
  const waitMs = limiter.take(50);
  expect(waitMs).toBeGreaterThan(0);
  expect(limiter.take(Number.NaN)).toBeGreaterThan(0);
  expect(limiter.take(50 + 3 * waitMs)).toBe(0);
});

it.each([0, -1, Number.NaN, 21, Number.POSITIVE_INFINITY])("refuses the cost %d", (cost) => {
  for (const [, make] of limiters) {
    expect(() => make().take(0, cost)).toThrow(
      expect.objectContaining({ code: "TENFOLD_OPTION_INVALID" }),
    );
  }
});

it("refuses rates and limits that are none", () => {
  const invalid = expect.objectContaining({ code: "TENFOLD_OPTION_INVALID" });
  for (const perSecond of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => gcra({ perSecond, burst: 1 })).toThrow(invalid);
  }
  expect(() => slidingWindow({ limit: 0, windowMs: 1_000 })).toThrow(invalid);
  expect(() => slidingWindow({ limit: 1, windowMs: 0 })).toThrow(invalid);
});
