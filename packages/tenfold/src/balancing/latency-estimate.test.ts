import fc from "fast-check";
import { expect, it } from "vitest";

import { decayedMean, heldPeak, peakEwma } from "./latency-estimate.ts";

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

it("holds what is far above the mean for as long as nothing comes, and no longer than it is", () => {
  const sample = fc.tuple(fc.nat(5_000), fc.nat(100_000));
  const means = fc.oneof(fc.constant(0.5), fc.integer({ min: 0, max: 1_000 }));
  fc.assert(
    fc.property(means, fc.array(sample, { minLength: 1 }), (meanMs, samples) => {
      const mean = decayedMean(1_000);
      mean.record(0, meanMs);
      const held = heldPeak(1_000, mean);
      const plain = peakEwma(1_000);
      let now = 0;
      let greatest = 0;
      for (const [waitMs, latencyMs] of samples) {
        now += waitMs;
        greatest = Math.max(greatest, latencyMs);
        const before = held.estimate(now);
        held.record(now, latencyMs);
        plain.record(now, latencyMs);
        const after = held.estimate(now);
        // Never quicker to forgive than the plain estimate, and never above what was seen.
        expect(after).toBeGreaterThanOrEqual(plain.estimate(now) - 1e-6);
        expect(after).toBeLessThanOrEqual(greatest + 1e-6);
        if (before > 8 * meanMs) expect(after).toBeGreaterThan(before * Math.exp(-1 / 49));
        const later = held.estimate(now + 1e9);
        expect(later).toBe(held.isSlow(now + 1e9) ? after : 0);
      }
      // Its own samples bring it down, a fiftieth of the time constant apart.
      for (let i = 0; i < 2_000; i++) {
        now += 20;
        held.record(now, meanMs / 2);
      }
      if (meanMs > 0) expect(held.isSlow(now)).toBe(false);
    }),
  );
});

it("without a mean nothing is slow", () => {
  const held = heldPeak(1_000, decayedMean(1_000));
  held.record(0, 1_000);
  expect([held.isSlow(0), held.estimate(60_000)]).toEqual([false, 1_000 * Math.exp(-60)]);
});
