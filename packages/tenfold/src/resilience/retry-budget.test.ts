import fc from "fast-check";
import { expect, it } from "vitest";

import { retryBudget } from "./retry-budget.ts";

it("allows the share, and the reserve on top", () => {
  const budget = retryBudget({ ratio: 0.2, reservePerSecond: 0 });
  for (let i = 0; i < 50; i++) budget.deposit(i);
  expect(budget.balance(50)).toBe(10);
  const allowed = Array.from({ length: 20 }, () => budget.withdraw(50)).filter(Boolean);
  expect(allowed).toHaveLength(10);
  expect(retryBudget({ reservePerSecond: 3 }).balance(0)).toBe(30);
});

it("forgets calls and retries after the time to live, also after a long pause", () => {
  const budget = retryBudget({ ratio: 1, reservePerSecond: 0, ttlMs: 1_000 });
  for (let i = 0; i < 9; i++) budget.deposit(i * 100);
  expect(budget.balance(800)).toBe(9);
  expect(budget.balance(1_350)).toBe(5);
  expect(budget.balance(1e9)).toBe(0);
  budget.deposit(1e9);
  expect(budget.balance(1e9)).toBe(1);
});

it("allows exactly as much as a plain count of the last ten parts allows", () => {
  const step = fc.tuple(fc.nat(700), fc.constantFrom("deposit", "withdraw"));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const budget = retryBudget({ ratio: 0.25, reservePerSecond: 1, ttlMs: 2_000 });
      const calls: number[] = [];
      const retries: number[] = [];
      let now = 0;
      for (const [wait, kind] of steps) {
        now += wait;
        const isRecent = (at: number): boolean => Math.floor(at / 200) > Math.floor(now / 200) - 10;
        if (kind === "deposit") {
          budget.deposit(now);
          calls.push(now);
          continue;
        }
        const left = 2 + 0.25 * calls.filter(isRecent).length - retries.filter(isRecent).length;
        expect(budget.withdraw(now)).toBe(left >= 1);
        if (left >= 1) retries.push(now);
      }
    }),
  );
});

it("is low when less than half is left, and not for want of calls", () => {
  const budget = retryBudget({ ratio: 0.2, reservePerSecond: 0 });
  expect(budget.isLow(0)).toBe(false);
  for (let i = 0; i < 50; i++) budget.deposit(0);
  for (let i = 0; i < 5; i++) budget.withdraw(0);
  expect(budget.isLow(0)).toBe(false);
  budget.withdraw(0);
  expect(budget.isLow(0)).toBe(true);
});

it("goes on when the clock is set back, and gives nothing for a clock that says nothing", () => {
  const budget = retryBudget({ ratio: 1, reservePerSecond: 0, ttlMs: 1_000 });
  budget.deposit(1e12);
  budget.deposit(Number.NaN);
  expect(budget.balance(1e12)).toBe(2);
  expect(budget.balance(50)).toBe(2);
  expect(budget.balance(1_200)).toBe(0);
});
