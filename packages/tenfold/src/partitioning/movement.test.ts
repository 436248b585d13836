import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { compositeMap } from "./composite-map.ts";
import { indexedMap } from "./indexed-map.ts";
import { listMap } from "./list-map.ts";
import { doubledModularMap, modularMap } from "./modular-map.ts";
import { type Movement, movedShare, movementBetween } from "./movement.ts";
import type { PlacementMap } from "./placement-codec.ts";
import { compareBounds } from "./range-bound.ts";
import { rangeMap, splitRange } from "./range-map.ts";
import { slotOf } from "./slot.ts";
import { evenSlotMap, finerSlotMap, rebalancedSlotMap, slotMap } from "./slot-map.ts";

const modular = (...buckets: string[]) => modularMap({ version: 1, by: "value", buckets });
const keys = Array.from({ length: 6_000 }, (_, i) => BigInt(i));

describe("growth", () => {
  test("modular from 2: two thirds move to 3, exactly half to 4, each to its sibling", () => {
    const two = modular("a", "b");
    expect(movementBetween(two, modular("a", "b", "c")).share).toBe(2 / 3);
    const { share, moves } = movementBetween(two, doubledModularMap(two, ["c", "d"]));
    expect(share).toBe(1 / 2);
    expect(moves).toEqual([
      { part: { kind: "remainder", remainder: 2, divisor: 4 }, from: "a", to: "c" },
      { part: { kind: "remainder", remainder: 3, divisor: 4 }, from: "b", to: "d" },
    ]);
  });

  test("slots from 2 to 3: a third moves, all of it to the new one", () => {
    const two = evenSlotMap(["a", "b"]);
    const { share, moves } = movementBetween(two, rebalancedSlotMap(two, ["a", "b", "c"]));
    expect(share).toBeCloseTo(1 / 3, 2);
    expect(new Set(moves.map(({ to }) => to))).toEqual(new Set(["c"]));
    expect(movementBetween(two, finerSlotMap(two, 8192))).toEqual({ moves: [], share: 0 });
  });

  test("a range that is split moves its upper part", () => {
    const map = rangeMap({ version: 1, rows: [{ start: 0, end: -1, shard: "a" }] });
    expect(movementBetween(map, splitRange(map, 500n, "b")).moves).toEqual([
      { part: { kind: "range", start: 500n, end: undefined }, from: "a", to: "b" },
    ]);
  });
});

describe("what the list says is what happens to keys", () => {
  const shard = fc.constantFrom("a", "b", "c");
  const slots = fc
    .tuple(fc.constantFrom(1, 4, 16, 64), fc.infiniteStream(shard))
    .map(([count, names]) => {
      const ranges = Array.from({ length: count }, (_, i) => ({
        first: i,
        last: i,
        shard: names.next().value as string,
      }));
      return slotMap({ version: 1, shards: ["a", "b", "c"], slots: count, ranges });
    });
  const remainders = fc.array(shard, { minLength: 1, maxLength: 12 }).map((all) => modular(...all));
  const ranges = fc
    .tuple(
      fc.uniqueArray(fc.integer({ min: 1, max: 5_999 }), { maxLength: 8 }),
      fc.array(shard, { minLength: 9, maxLength: 9 }),
    )
    .map(([cuts, names]) => {
      const starts = [0, ...cuts.sort((a, b) => a - b)];
      const rows = starts.map((start, i) => ({
        start,
        end: starts[i + 1] ?? -1,
        shard: names[i] as string,
      }));
      return rangeMap({ version: 1, rows });
    });

  test.each([
    ["slots", slots],
    ["remainders", remainders],
    ["ranges", ranges],
  ] as const)("by %s", (_kind, one: fc.Arbitrary<PlacementMap>) => {
    fc.assert(
      fc.property(one, one, fc.constantFrom(...keys), (before, after, key) => {
        const moves = movementBetween(before, after).moves.filter((move) => holds(move, key));
        const [from, to] = [before.shardOfKey(key), after.shardOfKey(key)];
        expect(moves.map((move) => [move.from, move.to])).toEqual(from === to ? [] : [[from, to]]);
      }),
    );
  });

  test("and the share is that of the keys, where keys are hashed", () => {
    fc.assert(
      fc.property(remainders, remainders, (before, after) => {
        const whole = keys.slice(0, 12 * 11 * 5);
        const divisor = before.buckets.length * after.buckets.length;
        const even = whole.slice(0, Math.floor(whole.length / divisor) * divisor);
        expect(movementBetween(before, after).share).toBeCloseTo(
          movedShare(before, after, even),
          9,
        );
      }),
      { numRuns: 50 },
    );
  });
});

function holds({ part }: Movement["moves"][number], key: bigint): boolean {
  switch (part.kind) {
    case "slots": {
      const slot = slotOf(key, part.of);
      return part.first <= slot && slot <= part.last;
    }
    case "range":
      return (
        compareBounds(part.start, key) <= 0 &&
        (part.end === undefined || compareBounds(key, part.end) < 0)
      );
    case "remainder":
      return key % BigInt(part.divisor) === BigInt(part.remainder);
    default:
      return part.key === key.toString();
  }
}

describe("nested", () => {
  const outer = listMap({
    version: 1,
    rows: [
      { value: "eu", shard: "eu" },
      { value: "us", shard: "us" },
    ],
  });
  const composite = (eu: PlacementMap, us: PlacementMap) =>
    compositeMap<PlacementMap, PlacementMap>({
      version: 1,
      separator: "/",
      outer,
      inside: new Map([
        ["eu", eu],
        ["us", us],
      ]),
    });

  test("inside the groups of a composite", () => {
    const before = composite(modular("a"), modular("b"));
    expect(movementBetween(before, before)).toEqual({ moves: [], share: 0 });
    const { moves } = movementBetween(before, composite(modular("a"), modular("b", "c")));
    expect(moves).toEqual([
      { part: { kind: "remainder", remainder: 1, divisor: 2 }, group: "us", from: "b", to: "c" },
    ]);
  });

  test("single keys of an index", () => {
    const entry = { key: "7", shard: "alone", epoch: 1, state: "active" } as const;
    const index = (...entries: (typeof entry)[]) =>
      indexedMap<PlacementMap>({ version: 1, base: modular("a"), entries });
    expect(movementBetween(index(), index(entry)).moves).toEqual([
      { part: { kind: "key", key: "7" }, from: "a", to: "alone" },
    ]);
    expect(movementBetween(index(entry), index(entry)).moves).toEqual([]);
    expect(movementBetween(index(entry), index()).moves).toEqual([
      { part: { kind: "key", key: "7" }, from: "alone", to: "a" },
    ]);
  });

  test("values of a list", () => {
    const other = listMap({
      version: 2,
      rows: [
        { value: "eu", shard: "x" },
        { value: "asia", shard: "y" },
      ],
    });
    expect(movementBetween(outer, other).moves).toEqual([
      { part: { kind: "value", key: "eu" }, from: "eu", to: "x" },
    ]);
  });
});

test("placements that cannot be compared part by part are still compared by keys", () => {
  const before = modular("a", "b");
  const after = evenSlotMap(["a", "b"]);
  const differ = expect.objectContaining({ code: "TENFOLD_PARTITIONING_KINDS_DIFFER" });
  expect(() => movementBetween(before, after)).toThrow(differ);
  expect(movedShare(before, after, keys)).toBeCloseTo(1 / 2, 1);
  expect(movedShare(before, after, [])).toBe(0);
  const hashed = modularMap({ version: 1, by: "hash", buckets: ["a"] });
  expect(() => movementBetween(before, hashed)).toThrow(differ);
  const many = (count: number) => modular(...new Array<string>(count).fill("a"));
  expect(() => movementBetween(many(16_381), many(16_369))).toThrow(/common multiple/);
});
