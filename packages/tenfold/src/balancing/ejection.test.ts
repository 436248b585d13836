import { expect, it } from "vitest";

import { seededRandom } from "../runtime/random.ts";
import { ejectedMax, ejection } from "./ejection.ts";

const options = { failuresMax: 3, probeMs: 100, probeMsMax: 1_000, random: seededRandom("e") };

it("puts a host out after failures in a row, and back with one success", () => {
  const host = ejection(options);
  host.failed(0, true);
  host.failed(0, true);
  expect(host.ejected).toBe(false);
  host.succeeded();
  for (let i = 0; i < 3; i++) host.failed(0, true);
  expect(host.ejected).toBe(true);
  host.succeeded();
  expect([host.ejected, host.failures]).toEqual([false, 0]);
});

it("puts no host out when enough are", () => {
  const host = ejection(options);
  for (let i = 0; i < 9; i++) host.failed(0, false);
  expect(host.ejected).toBe(false);
});

it("waits twice as long after each failure, jittered by half, never over the limit", () => {
  const host = ejection(options);
  for (const expected of [100, 200, 400, 800, 1_000, 1_000]) {
    host.failed(50, true);
    const delay = host.probeAt - 50;
    expect(delay).toBeGreaterThanOrEqual(expected * 0.5);
    expect(delay).toBeLessThan(expected * 1.5);
  }
});

it("lets fewer than half be out", () => {
  expect([0, 1, 2, 3, 4, 5, 10].map(ejectedMax)).toEqual([0, 0, 0, 1, 1, 2, 4]);
});
