import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { seededRandom } from "../runtime/random.ts";
import { keyOrder, reversedBits } from "./key-order.ts";

const random = seededRandom("key-order");

function orderOf(keyAt: (index: number) => bigint) {
  const order = keyOrder({ batchKeys: 256 });
  for (let i = 0; i < 5 * 256; i++) order.note(keyAt(i));
  return order;
}

describe("keys by time are told", () => {
  test.each<[string, (i: number) => bigint]>([
    ["a sequence", (i) => BigInt(i)],
    ["ids of 8 writers that run up to 20 keys late", (i) => BigInt(i * 8 - random.below(160))],
  ])("%s", (_name, keyAt) => {
    const order = orderOf(keyAt);
    expect(order.timeOrdered).toBe(true);
    expect(() => order.check()).toThrow(
      expect.objectContaining({ code: "TENFOLD_PARTITIONING_KEYS_TIME_ORDERED" }),
    );
  });
});

test.each<[string, (i: number) => bigint]>([
  ["random keys", () => BigInt(random.below(2 ** 32))],
  ["a sequence with its bits reversed", (i) => reversedBits(BigInt(i) + (1n << 40n))],
  ["a sequence that goes down", (i) => BigInt(100_000 - i)],
])("%s are fine", (_name, keyAt) => {
  const order = orderOf(keyAt);
  expect(order.newcomersAbove).toBeLessThan(0.1);
  expect(order.timeOrdered).toBe(false);
  order.check();
});

test("one batch tells nothing yet", () => {
  const order = keyOrder({ batchKeys: 16 });
  for (let i = 0n; i < 31n; i++) order.note(i);
  expect([order.newcomersAbove, order.timeOrdered]).toEqual([undefined, false]);
  order.check();
});

test("reversing bits is its own inverse and keeps 64 bits", () => {
  expect(reversedBits(1n)).toBe(1n << 63n);
  expect(reversedBits(0x0123456789abcdefn)).toBe(0xf7b3d591e6a2c480n);
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (id) => {
      expect(reversedBits(reversedBits(id))).toBe(id);
    }),
  );
  for (const id of [-1n, 2n ** 64n]) expect(() => reversedBits(id)).toThrow(/id must be/);
});

test.each([{ batchKeys: 8 }, { shareMax: 1.5 }, { shareMax: Number.NaN }])("%o", (options) => {
  expect(() => keyOrder(options)).toThrow(/must be/);
});
