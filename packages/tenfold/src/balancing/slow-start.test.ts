import fc from "fast-check";
import { expect, it } from "vitest";

import { slowStartShare } from "./slow-start.ts";

it("grows in a straight line from the least share to the whole", () => {
  const shares = [0, 1_000, 2_500, 5_000, 9_999, 10_000, 1e9];
  expect(shares.map((ageMs) => slowStartShare(ageMs, 10_000, 0.1))).toEqual([
    0.1, 0.1, 0.25, 0.5, 0.9999, 1, 1,
  ]);
  expect(slowStartShare(0, 0, 0.1)).toBe(1);
});

it("never shrinks with age, and is never less than the least nor more than 1", () => {
  const ages = fc.tuple(fc.nat(1e6), fc.nat(1e6));
  const least = fc.double({ min: 0.01, max: 1, noNaN: true });
  fc.assert(
    fc.property(ages, fc.nat(600_000), least, ([a, b], windowMs, shareMin) => {
      const young = slowStartShare(Math.min(a, b), windowMs, shareMin);
      const old = slowStartShare(Math.max(a, b), windowMs, shareMin);
      expect(young).toBeGreaterThanOrEqual(shareMin);
      expect(old).toBeGreaterThanOrEqual(young);
      expect(old).toBeLessThanOrEqual(1);
    }),
  );
});
