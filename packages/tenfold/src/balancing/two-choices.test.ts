import fc from "fast-check";
import { expect, it } from "vitest";

import { seededRandom } from "../runtime/random.ts";
import { twoChoices } from "./two-choices.ts";

it("never takes the most loaded of all, and gives one host at most 2/n", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 30 }), fc.string(), (count, seed) => {
      const random = seededRandom(seed);
      const loads = Array.from({ length: count }, (_, i) => i);
      const picks = Array.from({ length: 1_000 }, () => twoChoices(loads, (load) => load, random));
      expect(picks).not.toContain(count - 1);
      const best = picks.filter((pick) => pick === 0).length / picks.length;
      expect(best).toBeLessThan(2 / count + 0.1);
    }),
    { numRuns: 30 },
  );
});

it("breaks ties at random", () => {
  const random = seededRandom("ties");
  const picks = new Set(Array.from({ length: 100 }, () => twoChoices([1, 2, 3], () => 0, random)));
  expect(picks.size).toBe(3);
});
