import fc from "fast-check";
import { expect, test } from "vitest";

import { slotOf } from "./slot.ts";

test("slots of known keys: they are where data was written, so they must never change", () => {
  expect([1n, 42n, 1000n, 2n ** 63n - 1n].map((key) => slotOf(key))).toEqual([147, 54, 356, 596]);
  expect(slotOf("user:42", 256)).toBe(slotOf("user:42", 1024) % 256);
});

test("a number and its decimal text share a slot", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (key) => {
      expect(slotOf(key)).toBe(slotOf(key.toString()));
    }),
  );
});

test("doubling the slots moves a key to its sibling or not at all", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n }), fc.integer({ min: 0, max: 13 }), (key, power) => {
      const slots = 2 ** power;
      expect([slotOf(key, slots), slotOf(key, slots) + slots]).toContain(slotOf(key, 2 * slots));
    }),
  );
});

test("neighbouring numbers spread evenly", () => {
  const hits = new Array<number>(64).fill(0);
  for (let key = 0n; key < 64_000n; key++) hits[slotOf(key, 64)]! += 1;
  // 1,000 expected a slot, standard deviation 31.
  expect(Math.min(...hits)).toBeGreaterThan(850);
  expect(Math.max(...hits)).toBeLessThan(1_150);
});

test.each([0, 3, -1, 1.5, 32_768, Number.NaN])("%s slots are refused", (slots) => {
  expect(() => slotOf("key", slots)).toThrow(/slots must be a power of two/);
});
