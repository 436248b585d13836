import { expect, it } from "vitest";

import { seededRandom } from "../runtime/random.ts";
import { ejectedMax, ejection } from "./ejection.ts";

const options = { successesMin: 2, probeMs: 100, probeMsMax: 1_000, random: seededRandom("e") };

it("brings an ejected host back after successes in a row, a failing one after one", () => {
  const host = ejection(options);
  host.failed(0, 1);
  host.failed(0, 1);
  expect(host.succeeded(1)).toBe(false);
  expect(host.failures).toBe(0);
  host.failed(2, 1);
  host.eject();
  expect(host.succeeded(3)).toBe(false);
  host.failed(4, 1);
  expect(host.succeeded(5)).toBe(false);
  expect([host.ejected, host.probeAt]).toEqual([true, 5]);
  expect(host.succeeded(6)).toBe(true);
  expect([host.ejected, host.failures]).toEqual([false, 0]);
});

it("starts an epoch with every way out and in", () => {
  const host = ejection(options);
  host.failed(0, 1);
  expect(host.epoch).toBe(0);
  host.eject();
  expect(host.epoch).toBe(1);
  host.succeeded(1);
  host.succeeded(1);
  expect(host.epoch).toBe(2);
});

it("waits twice as long after each probe, jittered by half, never over the limit", () => {
  const host = ejection(options);
  host.failed(0, 1);
  for (const expected of [200, 400, 800, 1_000, 1_000]) {
    host.probed(50);
    const delay = host.probeAt - 50;
    expect(delay).toBeGreaterThanOrEqual(expected * 0.5);
    expect(delay).toBeLessThan(expected * 1.5);
  }
});

it("waits longer where a failure took long, whose probes cost the most", () => {
  const host = ejection(options);
  host.failed(0, 2_000);
  expect(host.probeAt).toBeGreaterThanOrEqual(5_000);
  expect(host.probeAt).toBeLessThan(15_000);
});

it("goes on elsewhere from what was saved, by another clock", () => {
  const host = ejection(options);
  host.failed(1_000, 1);
  host.eject();
  const other = ejection(options);
  other.restore(7, JSON.parse(JSON.stringify(host.save(1_010))));
  expect(other.save(7)).toEqual(host.save(1_010));
  expect(other.probeAt).toBeCloseTo(host.probeAt - 1_010 + 7);
});

it("lets fewer than half be out, but one of two", () => {
  expect([0, 1, 2, 3, 4, 5, 10].map(ejectedMax)).toEqual([0, 0, 1, 1, 1, 2, 4]);
});
