import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { slotOf } from "./slot.ts";
import {
  decodeSlotMap,
  encodeSlotMap,
  evenSlotMap,
  finerSlotMap,
  rebalancedSlotMap,
  type SlotPlacement,
  type SlotRange,
  slotMap,
} from "./slot-map.ts";

const placement = (
  ranges: readonly SlotRange[],
  over: Partial<SlotPlacement> = {},
): SlotPlacement => ({
  version: 1,
  slots: 8,
  shards: ["a", "b"],
  ranges,
  ...over,
});
const row = (first: number, last: number, shard: string): SlotRange => ({ first, last, shard });

/** A valid placement of any shape: cut points, and a shard for every run. */
const anyPlacement = fc
  .record({
    version: fc.integer({ min: 1, max: 1_000_000 }),
    power: fc.integer({ min: 0, max: 10 }),
    shards: fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 8 }),
    cuts: fc.array(fc.nat(), { maxLength: 12 }),
    picks: fc.array(fc.nat(), { minLength: 13, maxLength: 13 }),
  })
  .map(({ version, power, shards, cuts, picks }): SlotPlacement => {
    const slots = 2 ** power;
    const starts = [...new Set([0, ...cuts.map((cut) => cut % slots)])].sort((a, b) => a - b);
    const ranges = starts.map((first, index) => ({
      first,
      last: (starts[index + 1] ?? slots) - 1,
      shard: shards[(picks[index] as number) % shards.length] as string,
    }));
    return { version, slots, shards, ranges };
  });

test("every slot has the shard of its row, and JSON keeps the map", () => {
  fc.assert(
    fc.property(anyPlacement, (given) => {
      const map = decodeSlotMap(encodeSlotMap(slotMap(given)));
      expect(map).toMatchObject(given);
      for (const { first, last, shard } of given.ranges) {
        expect([map.shardOf(first), map.shardOf(last)]).toEqual([shard, shard]);
      }
    }),
  );
});

test("a first placement is even to one slot", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), (count) => {
      const shards = Array.from({ length: count }, (_, index) => `posts-${index}`);
      const sizes = evenSlotMap(shards).ranges.map(({ first, last }) => last - first + 1);
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(1024);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }),
  );
});

test("counted in more slots, every key stays where it is", () => {
  fc.assert(
    fc.property(anyPlacement, fc.nat({ max: 3 }), fc.array(fc.string()), (given, power, keys) => {
      const map = slotMap(given);
      const finer = finerSlotMap(map, map.slots * 2 ** power);
      for (const key of keys) expect(finer.shardOfKey(key)).toBe(map.shardOfKey(key));
      expect(finer.version).toBe(map.version + 1);
    }),
  );
});

test("other shards get equal shares by the fewest moves", () => {
  const names = fc.uniqueArray(
    fc.integer({ min: 0, max: 9 }).map((n) => `shard-${n}`),
    {
      minLength: 1,
    },
  );
  fc.assert(
    fc.property(names, names, names, (first, before, after) => {
      // Rebalanced once before, so that shares are not in the order of names.
      const map = rebalancedSlotMap(evenSlotMap(first, 256), before);
      const next = rebalancedSlotMap(map, after);
      const count = new Map<string, number>();
      let moved = 0;
      for (let slot = 0; slot < 256; slot++) {
        const shard = next.shardOf(slot);
        count.set(shard, (count.get(shard) ?? 0) + 1);
        if (shard !== map.shardOf(slot)) moved += 1;
      }
      const sizes = after.map((shard) => count.get(shard) ?? 0);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      // What a shard has now beyond what it had is what had to move.
      const had = (shard: string): number =>
        map.ranges.reduce((sum, r) => (r.shard === shard ? sum + r.last - r.first + 1 : sum), 0);
      const needed = after.map((shard) => (count.get(shard) ?? 0) - had(shard));
      expect(moved).toBe(needed.reduce((sum, more) => sum + Math.max(0, more), 0));
      // The least there is: the fullest keep the one slot more that the division leaves over.
      const share = Math.floor(256 / after.length);
      const sorted = after.map(had).sort((x, y) => y - x);
      const kept = sorted.map((count, i) =>
        Math.min(count, share + (i < 256 % after.length ? 1 : 0)),
      );
      expect(moved).toBe(256 - kept.reduce((sum, count) => sum + count, 0));
    }),
  );
});

test("a key is on the shard of its slot", () => {
  const map = evenSlotMap(["a", "b", "c"]);
  for (let user = 0n; user < 100n; user++) {
    expect(map.shardOfKey(user)).toBe(map.shardOf(slotOf(user)));
  }
});

describe("what is no placement", () => {
  test.each<[string, SlotPlacement, readonly SlotRange[]]>([
    ["gap", placement([row(0, 2, "a"), row(4, 7, "b")]), [row(0, 2, "a"), row(4, 7, "b")]],
    ["gap", placement([row(1, 7, "a")]), [row(1, 7, "a")]],
    ["overlap", placement([row(0, 4, "a"), row(4, 7, "b")]), [row(0, 4, "a"), row(4, 7, "b")]],
    ["shard", placement([row(0, 7, "c")]), [row(0, 7, "c")]],
    ["shard", placement([row(0, 7, "a")], { shards: ["a", "a"] }), []],
    ["count", placement([row(0, 6, "a")]), [row(0, 6, "a")]],
    ["count", placement([row(0, 8, "a")]), [row(0, 8, "a")]],
    ["count", placement([]), []],
    ["range", placement([row(3, 2, "a")]), [row(3, 2, "a")]],
    ["range", placement([row(0, 7.5, "a")]), [row(0, 7.5, "a")]],
    ["version", placement([row(0, 7, "a")], { version: 0 }), []],
  ])("%s %#", (problem, given, rows) => {
    expect(() => slotMap(given)).toThrow(
      expect.objectContaining({
        code: "TENFOLD_PARTITIONING_PLACEMENT_INVALID",
        details: { problem, rows },
      }),
    );
  });

  test("a slot that it does not have", () => {
    const map = evenSlotMap(["a"], 8);
    for (const slot of [-1, 8, 0.5, Number.NaN]) {
      expect(() => map.shardOf(slot)).toThrow(
        expect.objectContaining({ code: "TENFOLD_PARTITIONING_SLOT_UNKNOWN" }),
      );
    }
  });

  test.each(["", "null", "[]", '{"format":1}', '{"format":1,"slots":8,"ranges":[null]}'])(
    "the text %j",
    (json) => {
      expect(() => decodeSlotMap(json)).toThrow(/TENFOLD|placement/);
    },
  );

  test("a map that a later version wrote", () => {
    const json = encodeSlotMap(evenSlotMap(["a"])).replace('"format":1', '"format":2');
    expect(() => decodeSlotMap(json)).toThrow(
      expect.objectContaining({ code: "TENFOLD_PARTITIONING_FORMAT_UNKNOWN" }),
    );
  });
});
