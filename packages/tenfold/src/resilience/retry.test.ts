import { expect, it } from "vitest";

import { seededRandom } from "../runtime/random.ts";
import { fullJitter, isIdempotentMethod, retryVerdict } from "./retry.ts";

it.each([
  ["neverSent", "free", "free"],
  ["closedIdle", "free", "never"],
  ["noAnswer", "budget", "never"],
  ["refused", "budget", "never"],
  ["cut", "never", "never"],
] as const)("%s: %s when it can be repeated, %s when it cannot", (failure, repeatable, other) => {
  expect(retryVerdict(failure, true)).toBe(repeatable);
  expect(retryVerdict(failure, false)).toBe(other);
});

it("knows the idempotent methods", () => {
  expect(["GET", "HEAD", "PUT", "DELETE"].every(isIdempotentMethod)).toBe(true);
  expect(["POST", "PATCH", "get", "CONNECT"].some(isIdempotentMethod)).toBe(false);
});

it("backs off from 25 to 250 ms with full jitter", () => {
  const random = seededRandom("j");
  for (const [retry, limit] of [
    [0, 25],
    [1, 50],
    [2, 100],
    [3, 200],
    [4, 250],
    [1e6, 250],
  ] as const) {
    const delays = Array.from({ length: 300 }, () => fullJitter(retry, random));
    expect(Math.max(...delays)).toBeLessThan(limit);
    expect(Math.max(...delays)).toBeGreaterThan(limit * 0.9);
    expect(Math.min(...delays)).toBeLessThan(limit * 0.1);
  }
});
