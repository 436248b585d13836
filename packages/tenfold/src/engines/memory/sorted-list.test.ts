import fc from "fast-check";
import { expect, test } from "vitest";

import { sortedList } from "./sorted-list.ts";

const ascending = (a: number, b: number): number => a - b;
const number = fc.integer({ min: 0, max: 2_000 });
const limit = fc.integer({ min: 1, max: 2_500 });

test("holds what a sorted array holds, whatever is added and removed", () => {
  const steps = fc.array(fc.tuple(fc.boolean(), number), { maxLength: 3_000, size: "max" });
  fc.assert(
    fc.property(steps, number, limit, (taken, from, most) => {
      const list = sortedList(ascending);
      const model = new Set<number>();
      for (const [adds, value] of taken) {
        if (adds && !model.has(value)) list.add(value);
        if (!adds) list.remove(value);
        if (adds) model.add(value);
        else model.delete(value);
      }
      const sorted = [...model].sort(ascending);
      expect(list.size).toBe(sorted.length);
      expect(list.first()).toBe(sorted[0]);
      expect(list.after(undefined, most)).toEqual(sorted.slice(0, most));
      expect(list.after(from, most)).toEqual(sorted.filter((n) => n >= from).slice(0, most));
      expect(list.before(undefined, most)).toEqual(sorted.toReversed().slice(0, most));
      const below = sorted.filter((n) => n < from).toReversed();
      expect(list.before(from, most)).toEqual(below.slice(0, most));
    }),
    { numRuns: 50 },
  );
});

test("stays sorted over many chunks, from both ends", () => {
  const list = sortedList(ascending);
  for (let i = 0; i < 5_000; i++) list.add(i % 2 === 0 ? i : -i);
  const sorted = list.after(undefined, 10_000);
  expect(sorted).toEqual([...sorted].sort(ascending));
  for (const value of sorted.slice(0, 4_990)) list.remove(value);
  expect(list.before(undefined, 100)).toEqual(sorted.slice(4_990).reverse());
});
