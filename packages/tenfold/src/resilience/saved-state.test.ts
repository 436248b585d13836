import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { keyedLimiter } from "./keyed-limiter.ts";
import { gcra, slidingWindow } from "./rate-limiter.ts";
import { retryBudget } from "./retry-budget.ts";

/** What all that can be saved have in common, and what they answer to a call of one of three. */
interface Saved {
  ask(now: number, which: number): unknown;
  save(now: number): unknown;
  restore(now: number, saved: never, awayMs?: number): void;
}

const noNumbers: readonly unknown[] = [-1, -1e-9, 1e300, null, "1", [], {}, true];
const noLists: readonly unknown[] = [null, 1, "x", {}, [1], [[]], [[1]], [[1, 2, 3]], [{}], ["ab"]];
const slidingState = { format: 1, goneMs: 0, calls: 1, before: 0 };
const badFields = (...fields: string[]): object[] =>
  fields.flatMap((field) => noNumbers.map((value) => ({ [field]: value })));

const kinds: readonly (readonly [name: string, make: () => Saved, bad: readonly object[]])[] = [
  ["gcra", () => asked(gcra({ perSecond: 10, burst: 5 })), badFields("aheadMs")],
  [
    "slidingWindow",
    () => asked(slidingWindow({ limit: 7, windowMs: 2_000 })),
    badFields("goneMs", "calls", "before"),
  ],
  [
    "keyedLimiter",
    () => {
      const limits = keyedLimiter({
        keysMax: 2,
        limiter: () => slidingWindow({ limit: 3, windowMs: 1_000 }),
      });
      return { ...pick(limits), ask: (now, which) => limits.take(now, `user ${which}`) };
    },
    [
      ...noLists.map((keys) => ({ keys })),
      ...badFields("goneMs", "calls", "before").map((fields) => ({
        keys: [
          ["a", slidingState],
          ["b", { ...slidingState, ...fields }],
        ],
      })),
      { keys: [["x".repeat(1_025), slidingState]] },
      { keys: [[7, slidingState]] },
    ],
  ],
  [
    "retryBudget",
    () => {
      const budget = retryBudget({ ratio: 0.3, reservePerSecond: 1, ttlMs: 2_000 });
      const ask = (now: number, which: number): unknown => {
        if (which > 0) budget.deposit(now);
        return which === 1 ? budget.balance(now) : budget.withdraw(now);
      };
      return { ...pick(budget), ask };
    },
    [
      ...[...noLists, new Array(11).fill([0, 0]), [[1.5, 0]]].map((window) => ({ window })),
      ...noNumbers.flatMap((bad) => [{ window: [[bad, 0]] }, { window: [[0, bad]] }]),
    ],
  ],
];

function asked(limiter: Omit<Saved, "ask"> & { take(now: number, cost: number): number }): Saved {
  return { ...pick(limiter), ask: (now, which) => limiter.take(now, which + 1) };
}
function pick({ save, restore }: Omit<Saved, "ask">): Omit<Saved, "ask"> {
  return { save, restore };
}
const throughJson = (saved: unknown): never => JSON.parse(JSON.stringify(saved)) as never;

describe.each(kinds)("%s", (_, make, bad) => {
  const steps = fc.array(fc.tuple(fc.nat(900), fc.nat(2)), { maxLength: 60 });
  // In whole tenths of the budget's time to live: it counts by these.
  const tenths = fc.nat(60).map((count) => count * 200);

  it("goes on in another process where it was, the time away taken off", () => {
    fc.assert(
      fc.property(steps, steps, tenths, fc.nat(1e6), (before, after, awayMs, shift) => {
        const [here, there] = [make(), make()];
        let now = 0;
        for (const [wait, which] of before) {
          now += wait;
          here.ask(now, which);
        }
        const saved = throughJson(here.save(now));
        // It has seen something else before.
        const thereIs = shift * 2_000;
        for (let i = 0; i < 9; i++) there.ask(now + thereIs, i % 3);
        there.restore(now + awayMs + thereIs, saved, awayMs);
        now += awayMs;
        for (const [wait, which] of after) {
          now += wait;
          const [here_, there_] = [here.ask(now, which), there.ask(now + thereIs, which)];
          if (typeof here_ === "number") expect(there_).toBeCloseTo(here_, 6);
          else expect(there_).toBe(here_);
        }
      }),
    );
  });

  it("saves the same of what was restored", () => {
    fc.assert(
      fc.property(steps, (before) => {
        const [here, there] = [make(), make()];
        let now = 0;
        for (const [wait, which] of before) {
          now += wait;
          here.ask(now, which);
        }
        const saved = throughJson(here.save(now));
        there.restore(77, saved);
        expect(there.save(77)).toEqual(saved);
      }),
    );
  });

  it("refuses JSON that it did not save, and takes over nothing of it", () => {
    const good = make().save(0) as object;
    const any = [null, 7, "text", [], {}, { ...good, format: 2 }, { ...good, format: "1" }];
    for (const saved of [...any, ...bad.map((fields) => ({ ...good, ...fields }))]) {
      const it = make();
      for (let i = 0; i < 9; i++) it.ask(i, i % 3);
      const before = it.save(9);
      expect(() => it.restore(9, throughJson(saved))).toThrow(
        expect.objectContaining({ code: "TENFOLD_RESILIENCE_STATE_INVALID" }),
      );
      expect(it.save(9)).toEqual(before);
    }
  });

  it("refuses any JSON but by its code, and a time away that is none", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (value, field) => {
        const it = make();
        for (const saved of [value, { format: 1, keys: value, window: value, calls: field }]) {
          try {
            it.restore(0, throughJson(saved));
          } catch (error) {
            expect(error).toMatchObject({ code: "TENFOLD_RESILIENCE_STATE_INVALID" });
          }
        }
      }),
    );
    for (const awayMs of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      const it = make();
      expect(() => it.restore(0, it.save(0) as never, awayMs)).toThrow(/awayMs must be/);
    }
  });
});

describe("of a limiter with other options", () => {
  it("takes over as much as fits", () => {
    const wide = gcra({ perSecond: 1, burst: 100 });
    for (let i = 0; i < 100; i++) wide.take(0);
    const narrow = gcra({ perSecond: 1, burst: 2 });
    narrow.restore(0, wide.save(0));
    expect(narrow.take(0)).toBe(1_000);

    const quota = slidingWindow({ limit: 100, windowMs: 1_000 });
    for (let i = 0; i < 100; i++) quota.take(0);
    const small = slidingWindow({ limit: 10, windowMs: 1_000 });
    small.restore(0, quota.save(0));
    expect(small.take(0)).toBeLessThanOrEqual(2_000);
    expect(small.take(2_000)).toBe(0);
  });

  it("keeps the keys that were used last, and no key without a bound", () => {
    const limiter = () => gcra({ perSecond: 1, burst: 1 });
    const many = keyedLimiter({ keysMax: 10, limiter });
    for (const key of ["x".repeat(1_025), "a", "b", "c"]) many.take(0, key);
    const saved = many.save(0);
    expect(saved.keys.map(([key]) => key)).toEqual(["a", "b", "c"]);
    const few = keyedLimiter({ keysMax: 2, limiter });
    few.restore(0, saved);
    expect(few.size).toBe(2);
    expect([few.take(0, "c"), few.take(0, "b")]).toEqual([1_000, 1_000]);
    expect(few.take(0, "a")).toBe(0);
  });
});
