import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { doubledModularMap, type ModularBasis, modularMap, preSharded } from "./modular-map.ts";

const keys = Array.from({ length: 12_000 }, (_, i) => BigInt(i));
const numbered = (count: number, by: ModularBasis = "value") =>
  modularMap({ version: 1, by, buckets: Array.from({ length: count }, (_, i) => `db-${i}`) });
const moved = (from: number, to: number, by?: ModularBasis): number =>
  keys.filter((key) => numbered(from, by).shardOfKey(key) !== numbered(to, by).shardOfKey(key))
    .length / keys.length;

test("key % n", () => {
  const map = numbered(3);
  expect([0n, 1n, 2n, 3n, 2n ** 80n].map((key) => map.bucketOf(key))).toEqual([0, 1, 2, 0, 1]);
  expect(map.shardOfKey("7")).toBe("db-1");
});

test("growth from 2 moves two of three keys to 3, and exactly half to 4", () => {
  expect(moved(2, 3)).toBe(2 / 3);
  expect(moved(2, 4)).toBe(1 / 2);
  expect(moved(2, 3, "hash")).toBeCloseTo(2 / 3, 1);
  expect(moved(2, 4, "hash")).toBeCloseTo(1 / 2, 1);
});

test.each<ModularBasis>(["value", "hash"])("doubling by %s leaves i or goes to i + n", (by) => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n }), fc.integer({ min: 1, max: 64 }), (key, count) => {
      const map = numbered(count, by);
      const next = doubledModularMap(
        map,
        map.buckets.map((shard) => `${shard}-sibling`),
      );
      const before = map.bucketOf(key);
      expect([before, before + count]).toContain(next.bucketOf(key));
      const sibling = next.bucketOf(key) === before + count;
      expect(next.shardOfKey(key)).toBe(sibling ? `db-${before}-sibling` : `db-${before}`);
    }),
  );
});

test("doubled onto the same shards no key moves, so the hand-over can be bucket by bucket", () => {
  const map = preSharded(["a", "b", "c"], 8, "value");
  const next = doubledModularMap(map);
  expect(next.version).toBe(2);
  for (const key of keys.slice(0, 100)) expect(next.shardOfKey(key)).toBe(map.shardOfKey(key));
});

test("pre-sharding: 1,024 buckets in turn on few shards", () => {
  const { buckets, shards } = preSharded(["a", "b", "c"]);
  expect([buckets.length, shards]).toEqual([1024, ["a", "b", "c"]]);
  for (const shard of shards) {
    expect(Math.abs(buckets.filter((each) => each === shard).length - 1024 / 3)).toBeLessThan(1);
  }
});

describe("refused", () => {
  test.each<[string, object]>([
    ["count", { buckets: [] }],
    ["count", { buckets: new Array(16_385).fill("a") }],
    ["shard", { buckets: ["a", ""] }],
    ["basis", { by: "name" }],
    ["version", { version: 0 }],
  ])("a placement: %s", (problem, over) => {
    const given = { version: 1, by: "value", buckets: ["a"], ...over };
    expect(() => modularMap(given as never)).toThrow(
      expect.objectContaining({
        code: "TENFOLD_PARTITIONING_PLACEMENT_INVALID",
        details: expect.objectContaining({ problem }),
      }),
    );
  });

  test("keys below 0 and keys that are no number, where the value counts", () => {
    const code = (name: string) =>
      expect.objectContaining({ code: `TENFOLD_PARTITIONING_${name}` });
    expect(() => numbered(2).bucketOf(-1n)).toThrow(code("KEY_OUT_OF_RANGE"));
    expect(() => numbered(2).bucketOf("x")).toThrow(code("KEY_INVALID"));
    expect(() => numbered(2, "hash").bucketOf(1 as never)).toThrow(code("KEY_INVALID"));
  });

  test("too few siblings, buckets fewer than shards", () => {
    expect(() => doubledModularMap(numbered(2), ["x"])).toThrow(/as many siblings/);
    expect(() => preSharded(["a", "b"], 1)).toThrow(/buckets must be/);
    expect(() => preSharded([], 8)).toThrow(/buckets must be/);
  });
});
