import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { seededRandom } from "../runtime/random.ts";
import { outcomeWindow } from "./outcome-window.ts";
import { isOutlier } from "./rate-test.ts";

const limits = { samplesMin: 10, differenceMin: 0.1 };

describe("the rate test", () => {
  it.each([
    [
      "half of 20 against one good host",
      { total: 20, failures: 10 },
      { total: 20, failures: 0 },
      true,
    ],
    ["a fault that all share", { total: 100, failures: 50 }, { total: 100, failures: 48 }, false],
    ["too few calls", { total: 9, failures: 9 }, { total: 100, failures: 0 }, false],
    ["nothing to compare with", { total: 100, failures: 100 }, { total: 0, failures: 0 }, false],
    ["two stray failures", { total: 10, failures: 2 }, { total: 1_000, failures: 0 }, false],
    [
      "a certain but small difference",
      { total: 1e6, failures: 5e4 },
      { total: 1e6, failures: 0 },
      false,
    ],
  ])("judges %s", (_case, host, others, verdict) => {
    expect(isOutlier(host, others, limits)).toBe(verdict);
  });

  it("rarely accuses one of two equals, and finds one that fails three times as often", () => {
    const random = seededRandom("rate");
    const sample = (total: number, share: number) => {
      const failures = Array.from({ length: total }, () => random.next()).filter((x) => x < share);
      return { total, failures: failures.length };
    };
    let wrong = 0;
    let found = 0;
    for (let i = 0; i < 1_000; i++) {
      if (isOutlier(sample(50, 0.1), sample(50, 0.1), limits)) wrong++;
      if (isOutlier(sample(200, 0.3), sample(200, 0.1), limits)) found++;
    }
    expect(wrong).toBeLessThan(10);
    expect(found).toBeGreaterThan(950);
  });
});

describe("the window of outcomes", () => {
  it("forgets part by part, and an idle hour at once", () => {
    const window = outcomeWindow(10_000);
    for (let second = 0; second < 10; second++) window.record(second * 1_000, second % 2 === 0);
    expect([window.total, window.failures]).toEqual([10, 5]);
    window.turn(11_500);
    expect([window.total, window.failures]).toEqual([8, 4]);
    window.turn(3_600_000);
    expect([window.total, window.failures]).toEqual([0, 0]);
  });

  it("counts what a plain list of samples counts", () => {
    const step = fc.tuple(fc.nat(3_000), fc.boolean());
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const window = outcomeWindow(10_000);
        const seen: { part: number; ok: boolean }[] = [];
        let now = 0;
        for (const [wait, ok] of steps) {
          now += wait;
          window.record(now, ok);
          const part = Math.floor(now / 1_000);
          seen.push({ part, ok });
          const kept = seen.filter((each) => each.part > part - 10);
          expect(window.total).toBe(kept.length);
          expect(window.failures).toBe(kept.filter((each) => !each.ok).length);
        }
      }),
    );
  });
});
