import fc from "fast-check";
import { expect, it } from "vitest";

import { deadlineAfter, deadlineMsMax, formatDeadline, parseDeadline } from "./deadline.ts";

it("reads what it writes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: deadlineMsMax }), (ms) => {
      expect(parseDeadline(formatDeadline(ms))).toBe(ms);
    }),
  );
  expect(formatDeadline(12.9)).toBe("12");
  expect(formatDeadline(-3)).toBe("0");
  expect(formatDeadline(1e9)).toBe(String(deadlineMsMax));
  expect(parseDeadline(undefined)).toBeUndefined();
});

it.each(["", " 5", "-1", "1e3", "0x10", "1.5", "600001", "9".repeat(400), "5, 7", "NaN"])(
  "refuses %j",
  (text) => {
    expect(() => parseDeadline(text)).toThrow(/tenfold-deadline-ms/);
  },
);

it("counts down to 0", () => {
  const deadline = deadlineAfter(100, 50);
  expect([100, 120, 200].map((now) => deadline.remainingMs(now))).toEqual([50, 30, 0]);
});

it("lies between 0 and what it was set to, whatever comes", () => {
  const any = fc.oneof(fc.double({ noNaN: true }), fc.integer());
  fc.assert(
    fc.property(fc.nat(1e9), any, fc.array(any), (now, timeoutMs, later) => {
      const deadline = deadlineAfter(now, timeoutMs);
      const limit = Math.max(0, Math.min(deadlineMsMax, timeoutMs));
      expect(deadline.at).toBe(now + limit);
      for (const at of later) {
        expect(deadline.remainingMs(at)).toBeGreaterThanOrEqual(0);
        expect(deadline.remainingMs(at)).toBeLessThanOrEqual(limit);
      }
    }),
  );
});

it("refuses what is no number", () => {
  expect(() => deadlineAfter(0, Number.NaN)).toThrow(/timeoutMs must be milliseconds, got NaN/);
  expect(() => deadlineAfter(Number.NaN, 5)).toThrow(/now must be a time/);
});
