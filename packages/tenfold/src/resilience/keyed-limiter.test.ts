import { expect, it } from "vitest";

import { keyedLimiter } from "./keyed-limiter.ts";
import { gcra } from "./rate-limiter.ts";

const perKey = (keysMax: number) =>
  keyedLimiter({ keysMax, limiter: () => gcra({ perSecond: 1, burst: 1 }) });

it("limits each key by itself", () => {
  const limits = perKey(10);
  expect([limits.take(0, "a"), limits.take(0, "b")]).toEqual([0, 0]);
  expect(limits.take(1, "a")).toBeCloseTo(999);
});

it("keeps so many keys, and forgets the longest unused", () => {
  const limits = perKey(2);
  limits.take(0, "a");
  limits.take(0, "b");
  limits.take(0, "a");
  limits.take(0, "c");
  expect(limits.size).toBe(2);
  expect(limits.take(1, "a")).toBeGreaterThan(0);
  expect(limits.take(1, "b")).toBe(0);
});

it("refuses a limit that is none", () => {
  expect(() => perKey(0)).toThrow(/keysMax must be/);
});
