import { expect, test } from "vitest";

import { steadyTime } from "./steady-time.ts";

function clocks() {
  const at = { mono: 1_000, wall: 1_700_000_000_000 };
  const time = steadyTime({ now: () => at.mono, wallNow: () => Math.floor(at.wall) });
  const pass = (ms: number): void => {
    at.mono += ms;
    at.wall += ms;
  };
  return { at, time, pass };
}

test("with clocks that agree it is the monotonic one, however often it is read", () => {
  const { at, time, pass } = clocks();
  for (let i = 0; i < 10_000; i++) {
    pass(0.3);
    time.now();
  }
  expect(time.now()).toBeCloseTo(at.mono, 6);
});

test("a suspended machine has lived through the time all the same", () => {
  const { at, time, pass } = clocks();
  const start = time.now();
  pass(100);
  at.wall += 5_000;
  pass(100);
  expect(time.now() - start).toBe(5_200);
});

test("a wall clock set back takes nothing away, and later suspensions still count", () => {
  const { at, time, pass } = clocks();
  const start = time.now();
  at.wall -= 60_000;
  pass(100);
  expect(time.now() - start).toBe(100);
  at.wall += 3_000;
  expect(time.now() - start).toBe(3_100);
});

test("a wall clock that is slewed slowly is followed forwards only", () => {
  const { at, time, pass } = clocks();
  const start = time.now();
  for (let i = 0; i < 100; i++) {
    pass(1_000);
    at.wall += 0.5;
    time.now();
  }
  const ahead = time.now() - start - 100_000;
  expect(ahead).toBeGreaterThan(45);
  expect(ahead).toBeLessThanOrEqual(50);
});
