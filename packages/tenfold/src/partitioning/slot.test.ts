import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { slotAmong, slotDefaults, slotOf } from "./slot.ts";

test("slots of known keys: they are where data was written, so they must never change", () => {
  expect([1n, 42n, 1000n, 2n ** 63n - 1n].map((key) => slotOf(key))).toEqual([147, 54, 356, 596]);
  expect([1n, 42n, 1000n, 2n ** 63n - 1n].map((key) => slotOf(key, 8192))).toEqual([
    1181, 436, 2854, 4775,
  ]);
});

test("a number, its decimal text and that text's bytes share a slot", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (key) => {
      expect(slotOf(key)).toBe(slotOf(key.toString()));
      expect(slotOf(key)).toBe(slotOf(new TextEncoder().encode(key.toString())));
    }),
  );
});

describe("doubling", () => {
  test("the slot of 1,024 is the upper ten bits of the slot that an id carries", () => {
    const { slots, carriedSlots } = slotDefaults;
    fc.assert(
      fc.property(fc.string(), (key) => {
        expect(slotOf(key, slots)).toBe(slotOf(key, carriedSlots) >>> 3);
        expect(slotOf(key, slots)).toBe(slotAmong(slotOf(key, carriedSlots), carriedSlots, slots));
      }),
    );
  });

  test("splits every slot s into 2s and 2s + 1, from one slot to the most", () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 0, max: 13 }), (key, power) => {
        const slots = 2 ** power;
        expect(slotOf(key, slots)).toBe(slotOf(key, 2 * slots) >>> 1);
      }),
    );
  });

  test("a coarse slot does not tell the finer one, and there is no slot beyond the last", () => {
    expect(() => slotAmong(3, 1024, 8192)).toThrow(/at most 1024/);
    for (const slot of [-1, 8192, 1.5, Number.NaN]) {
      expect(() => slotAmong(slot, 8192, 1024)).toThrow(
        expect.objectContaining({
          code: "TENFOLD_PARTITIONING_SLOT_UNKNOWN",
          message: expect.stringContaining(`got ${slot}`),
          details: { slot, slots: 8192 },
        }),
      );
    }
  });
});

test.each([64, 8192])("neighbouring numbers spread evenly over %d slots", (slots) => {
  const hits = new Array<number>(slots).fill(0);
  for (let key = 0n; key < 1_000n * BigInt(slots) && key < 400_000n; key++) {
    hits[slotOf(key, slots)]! += 1;
  }
  const mean = hits.reduce((sum, count) => sum + count, 0) / slots;
  // Six standard deviations of a count by chance.
  expect(Math.min(...hits)).toBeGreaterThan(mean - 6 * Math.sqrt(mean));
  expect(Math.max(...hits)).toBeLessThan(mean + 6 * Math.sqrt(mean));
});

test.each([0, 3, -1, 1.5, 32_768, Number.NaN])("%s slots are refused", (slots) => {
  expect(() => slotOf("key", slots)).toThrow(/slots must be a power of two/);
});

test.each([42, null, undefined, {}, true])("the key %o is refused", (key) => {
  expect(() => slotOf(key as never)).toThrow(
    expect.objectContaining({ code: "TENFOLD_PARTITIONING_KEY_INVALID" }),
  );
});
