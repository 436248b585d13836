import fc from "fast-check";
import { expect, it } from "vitest";

import { steadyTime } from "./steady-time.ts";

it("is the clock's own time as long as that goes forward", () => {
  const time = steadyTime();
  expect([0, 0.5, 7, 7, 1e9].map((now) => time.at(now))).toEqual([0, 0.5, 7, 7, 1e9]);
});

it("goes on from where it was when the clock is set back", () => {
  const time = steadyTime();
  time.at(1e12);
  expect(time.at(5_000)).toBe(1e12);
  expect(time.at(5_100)).toBe(1e12 + 100);
});

it("takes a small step back for two readings that crossed", () => {
  const time = steadyTime();
  time.at(100);
  expect([99, 100, 101].map((now) => time.at(now))).toEqual([100, 100, 101]);
});

it("never goes back and never stops, whatever it is told", () => {
  const anyNow = fc.oneof(
    fc.double(),
    fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, -1e300, Number.MAX_VALUE, 1e14),
  );
  fc.assert(
    fc.property(fc.array(anyNow, { maxLength: 50 }), fc.nat(1e9), (noise, from) => {
      const time = steadyTime();
      let last = 0;
      for (const now of noise) {
        const at = time.at(now);
        expect(at).toBeGreaterThanOrEqual(last);
        last = at;
      }
      const before = time.at(from);
      expect(time.at(from + 10_000)).toBeGreaterThan(before);
    }),
  );
});
