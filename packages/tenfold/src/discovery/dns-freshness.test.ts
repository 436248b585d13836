import { expect, it } from "vitest";

import { dnsFreshness } from "./dns-freshness.ts";

const limits = { ttlMinMs: 1_000, ttlMaxMs: 30_000, staleMaxMs: 60_000, negativeMaxMs: 5_000 };
/** No jitter. */
const steady = { next: () => 0 };

it.each([
  [0, 1_000],
  [5_000, 5_000],
  [86_400_000, 30_000],
])("keeps an answer of %i ms for %i ms", (ttlMs, keptMs) => {
  const freshness = dnsFreshness(limits, steady);
  expect(freshness.askAtMs).toBe(Number.NEGATIVE_INFINITY);
  freshness.found(ttlMs, 100);
  expect(freshness.askAtMs).toBe(100 + keptMs);
});

it("asks up to a tenth early, never late", () => {
  const freshness = dnsFreshness(limits, { next: () => 1 });
  freshness.found(10_000, 0);
  expect(freshness.askAtMs).toBe(9_000);
});

it("asks less often the longer nothing is found, and at once as before after an answer", () => {
  const freshness = dnsFreshness(limits, steady);
  const waits = Array.from({ length: 7 }, () => {
    freshness.missed("failed", 0);
    return freshness.askAtMs;
  });
  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  freshness.found(1_000, 0);
  freshness.missed("failed", 0);
  expect(freshness.askAtMs).toBe(1_000);
});

it("lets a list be used for the stale limit after its time, while servers fail", () => {
  const freshness = dnsFreshness(limits, steady);
  expect(freshness.usable(0)).toBe(false);
  freshness.found(10_000, 0);
  freshness.missed("failed", 10_000);
  expect(freshness.usable(70_000)).toBe(true);
  expect(freshness.ageMs(70_000)).toBe(70_000);
  expect(freshness.usable(70_001)).toBe(false);
});

it("lets a list be used for the negative limit after the first denial", () => {
  const freshness = dnsFreshness(limits, steady);
  freshness.found(1_000, 0);
  freshness.missed("none", 1_000);
  // A failing server in between changes nothing.
  freshness.missed("failed", 3_000);
  freshness.missed("none", 5_000);
  expect(freshness.usable(5_999)).toBe(true);
  expect(freshness.usable(6_000)).toBe(false);
  freshness.found(1_000, 7_000);
  expect(freshness.usable(7_000)).toBe(true);
});
