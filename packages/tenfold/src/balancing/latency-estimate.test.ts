import fc from "fast-check";
import { expect, it } from "vitest";

import { decayedMean, peakEwma } from "./latency-estimate.ts";

it("believes a slow answer at once and a fast one slowly", () => {
  const latency = peakEwma(10_000);
  expect(latency.estimate(0)).toBeNaN();
  latency.record(0, 10);
  latency.record(1, 1_000);
  expect(latency.estimate(1)).toBe(1_000);
  latency.record(1_001, 10);
  expect(latency.estimate(1_001)).toBeGreaterThan(800);
  latency.reset(1_001, 10);
  expect(latency.estimate(1_001)).toBe(10);
});

it("decays by e in its time constant, read or not", () => {
  const latency = peakEwma(1_000);
  latency.record(0, 100);
  latency.estimate(500);
  expect(latency.estimate(1_000)).toBeCloseTo(100 / Math.E);
});

it("takes the mean without peaks, and keeps it while nothing comes", () => {
  const latency = decayedMean(1_000);
  latency.record(0, 10);
  latency.record(10, 1_000);
  expect(latency.estimate(10)).toBeLessThan(25);
  expect(latency.estimate(60_000)).toBe(latency.estimate(10));
});

it("stays between 0 and the greatest sample, for clocks that stand still or go back too", () => {
  const sample = fc.tuple(
    fc.integer({ min: -100, max: 5_000 }),
    fc.double({ min: 0, max: 1e5, noNaN: true }),
  );
  fc.assert(
    fc.property(fc.array(sample, { minLength: 1 }), (samples) => {
      const greatest = Math.max(...samples.map(([, value]) => value));
      for (const latency of [peakEwma(1_000), decayedMean(1_000)]) {
        let now = 0;
        for (const [wait, ms] of samples) {
          now += wait;
          latency.record(now, ms);
          expect(latency.estimate(now)).toBeGreaterThanOrEqual(-1e-6);
          expect(latency.estimate(now)).toBeLessThanOrEqual(greatest + 1e-6);
        }
      }
    }),
  );
});
