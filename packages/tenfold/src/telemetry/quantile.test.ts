import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { HistogramState, latencyBucketsSeconds } from "./histogram-state.ts";
import { bucketGrowth, quantileOfBuckets } from "./quantile.ts";

function bucketsOf(values: readonly number[]): Map<number, number> {
  const histogram = new HistogramState(latencyBucketsSeconds, () => 0);
  for (const value of values) histogram.observe(value);
  const found = new Map<number, number>();
  for (const { suffix, labels, value } of histogram.samples([])) {
    const le = labels[0]?.[1] === "+Inf" ? Number.POSITIVE_INFINITY : Number(labels[0]?.[1]);
    if (suffix === "_bucket") found.set(le, value);
  }
  return found;
}

describe("quantileOfBuckets", () => {
  it("lies in the bucket of the true quantile", () => {
    const latency = fc.double({ min: 0.0001, max: 59, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(latency, { minLength: 1, maxLength: 300 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (values, q) => {
          const sorted = [...values].sort((a, b) => a - b);
          const exact = sorted[Math.ceil(q * sorted.length) - 1] as number;
          const found = quantileOfBuckets(bucketsOf(values), q) as number;
          const upper = latencyBucketsSeconds.find((bound) => exact <= bound) as number;
          const lower = latencyBucketsSeconds.findLast((bound) => bound < exact) ?? 0;
          expect(found).toBeGreaterThanOrEqual(lower);
          expect(found).toBeLessThanOrEqual(upper * (1 + 1e-12));
        },
      ),
    );
  });

  it("says nothing without observations, and the last bound for what is beyond it", () => {
    expect(quantileOfBuckets(new Map(), 0.5)).toBeUndefined();
    expect(quantileOfBuckets(bucketsOf([]), 0.5)).toBeUndefined();
    expect(quantileOfBuckets(bucketsOf([1_000]), 0.99)).toBe(60);
  });
});

describe("bucketGrowth", () => {
  it("is the difference, or all of it when the process began anew", () => {
    const before = new Map([
      [1, 5],
      [Number.POSITIVE_INFINITY, 9],
    ]);
    const after = new Map([
      [1, 6],
      [Number.POSITIVE_INFINITY, 12],
    ]);
    expect([...bucketGrowth(before, after).values()]).toEqual([1, 3]);
    expect([...bucketGrowth(after, before).values()]).toEqual([5, 9]);
  });
});
