import fc from "fast-check";
import { expect, test } from "vitest";

import { jump, jumpWords } from "./jump.ts";

// From the tests of guava, go-jump and the paper's other implementations.
test("public vectors", () => {
  const hundred = Array.from({ length: 20 }, (_, key) => jump(BigInt(key), 100));
  expect(hundred).toEqual([
    0, 55, 62, 8, 45, 59, 86, 97, 82, 59, 73, 37, 17, 56, 86, 21, 90, 37, 38, 83,
  ]);
  expect(jump(10_863_919_174_838_991n, 11)).toBe(6);
  expect(jump(2_016_238_256_797_177_309n, 11)).toBe(3);
  expect(jump(1_673_758_223_894_951_030n, 11)).toBe(5);
  expect([2n, 2_201n, 2_202n].map((key) => jump(key, 100_001))).toEqual([80_343, 22_152, 15_018]);
  const one = Array.from({ length: 19 }, (_, i) => jump(1n, i + 1));
  expect(one).toEqual([0, 0, 0, 0, 0, 0, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 17, 17]);
  expect(jump(0xdeadbeefn, 19)).toBe(16);
  expect(jump(0x0ddc0ffeebadf00dn, 19)).toBe(15);
});

/** As the paper has it, in whole 64-bit numbers. */
function reference(key: bigint, buckets: number): number {
  let state = BigInt.asUintN(64, key);
  let bucket = -1;
  let next = 0;
  while (next < buckets) {
    bucket = next;
    state = BigInt.asUintN(64, state * 2_862_933_555_777_941_757n + 1n);
    next = Math.floor((bucket + 1) * (2 ** 31 / Number((state >> 33n) + 1n)));
  }
  return bucket;
}

const key = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const buckets = fc.oneof(fc.integer({ min: 1, max: 0x7fff_ffff }), fc.integer({ min: 1, max: 50 }));

test("two words give what 64 bits give", () => {
  fc.assert(
    fc.property(key, buckets, (each, count) => {
      expect(jump(each, count)).toBe(reference(each, count));
    }),
    { numRuns: 2_000 },
  );
});

test("the carry from the low word, which one key in 2^32 makes", () => {
  for (let high = 0n; high < 200n; high++) {
    const each = (high << 32n) | 0x666313abn;
    expect(jump(each, 1_000_000)).toBe(reference(each, 1_000_000));
  }
});

test("growing moves keys to the new bucket alone", () => {
  fc.assert(
    fc.property(key, fc.integer({ min: 1, max: 10_000 }), (each, count) => {
      const after = jump(each, count + 1);
      if (after !== count) expect(after).toBe(jump(each, count));
    }),
    { numRuns: 2_000 },
  );
});

test("text is spread evenly", () => {
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 20_000; i++) {
    const bucket = jump(`user:${i}`, 10);
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  // Five deviations of 2,000 drawn from 20,000.
  for (const count of counts) expect(Math.abs(count - 2_000)).toBeLessThan(212);
});

test("refused: a number of buckets that is none", () => {
  for (const count of [0, -1, 1.5, Number.NaN, 2 ** 31]) {
    expect(() => jumpWords(0, 1, count)).toThrow(
      expect.objectContaining({ code: "TENFOLD_OPTION_INVALID" }),
    );
  }
});
