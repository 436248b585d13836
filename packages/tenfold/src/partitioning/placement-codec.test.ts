import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { compositeMap } from "./composite-map.ts";
import { heldPlacement } from "./held-placement.ts";
import { indexedMap } from "./indexed-map.ts";
import { listMap } from "./list-map.ts";
import { modularMap } from "./modular-map.ts";
import { encodePlacement, type PlacementMap, placementOf } from "./placement-codec.ts";
import { rangeMap } from "./range-map.ts";
import { decodeSlotMap, encodeSlotMap, evenSlotMap } from "./slot-map.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const slots = evenSlotMap(["a", "b"], 64);
const list = listMap({
  version: 2,
  rows: [
    { value: "1", shard: "x" },
    { value: "2", shard: "y" },
  ],
});
const composite = compositeMap<PlacementMap, PlacementMap>({
  version: 3,
  separator: "/",
  outer: list,
  inside: new Map<string, PlacementMap>([
    ["x", slots],
    ["y", modularMap({ version: 1, by: "hash", buckets: ["c", "d", "c"] })],
  ]),
});
const entry = { key: "1/5", shard: "z", epoch: 4, state: "copying", to: "a" } as const;
const kinds: readonly [string, PlacementMap, readonly string[]][] = [
  ["slots", slots, ["1", "user"]],
  [
    "range",
    rangeMap({
      version: 9,
      rows: [
        { start: 0, end: 2n ** 60n, shard: "a" },
        { start: 2n ** 60n, end: -1, shard: "b" },
      ],
    }),
    ["1", `${2n ** 61n}`],
  ],
  [
    "range",
    rangeMap({
      version: 1,
      rows: [
        { start: bytes(), end: bytes(0x6d, 0xff), shard: "a" },
        { start: bytes(0x6d, 0xff), end: -1, shard: "b" },
      ],
    }),
    ["a", "z"],
  ],
  ["modular", modularMap({ version: 1, by: "value", buckets: ["a", "b"] }), ["1", "2"]],
  ["list", list, ["1", "2"]],
  ["composite", composite, ["1/7", "2/7"]],
  ["indexed", indexedMap<PlacementMap>({ version: 1, base: composite, entries: [entry] }), ["1/5"]],
];

test.each(kinds)("%s survives JSON", (kind, map, keys) => {
  const again = placementOf(encodePlacement(map));
  expect(again.kind).toBe(kind);
  expect(encodePlacement(again)).toBe(encodePlacement(map));
  expect([again.version, again.shards]).toEqual([map.version, map.shards]);
  expect(keys.map((key) => again.shardOfKey(key))).toEqual(keys.map((key) => map.shardOfKey(key)));
});

test("a table of ranges as one writes it", () => {
  const map = placementOf(`{"format": 1, "kind": "range", "version": 1, "rows": [
    {"start": 0, "end": 1000, "shard": "db-1"}, {"start": 1000, "end": 2000, "shard": "db-2"},
    {"start": 2000, "end": 3500, "shard": "db-3"}, {"start": 3500, "end": -1, "shard": "db-4"}]}`);
  expect(["0", "999", "1000", "3499", "3500"].map((key) => map.shardOfKey(key))).toEqual([
    "db-1",
    "db-1",
    "db-2",
    "db-3",
    "db-4",
  ]);
});

test("what the fleet has stored so far is by slots, and each reader reads the other's form", () => {
  expect(placementOf(encodeSlotMap(slots)).kind).toBe("slots");
  expect(decodeSlotMap(encodePlacement(slots)).ranges).toEqual(slots.ranges);
  expect(() => decodeSlotMap(encodePlacement(list))).toThrow(/slots are wanted here/);
});

describe("refused", () => {
  const of = (fields: object): string => JSON.stringify({ format: 1, version: 1, ...fields });
  const nested = (depth: number): object =>
    depth === 0
      ? { kind: "modular", version: 1, by: "hash", buckets: ["a"] }
      : { kind: "indexed", version: 1, base: nested(depth - 1), entries: [] };
  const entries = (...all: unknown[]): object => ({ ...nested(1), entries: all });
  const row = { key: "k", shard: "a", epoch: 1, state: "active" };
  test.each<[string, string, RegExp]>([
    ["KIND_UNKNOWN", of({ kind: "geo" }), /kind "geo" is not known/],
    ["KIND_UNKNOWN", of({ kind: null, slots: 1 }).replace("null", "7"), /kind 7/],
    ["FORMAT_UNKNOWN", '{"format":2,"kind":"list"}', /format 2/],
    ["FORMAT_UNKNOWN", "null", /format undefined/],
    ["PLACEMENT_INVALID", "{", /no JSON/],
    ["PLACEMENT_INVALID", of({ kind: "range" }), /`rows` must be a list/],
    ["PLACEMENT_INVALID", of({ kind: "range", rows: [null] }), /undefined undefined/],
    ["PLACEMENT_INVALID", of({ kind: "range", rows: [{ start: "x", end: -1 }] }), /x -1/],
    [
      "PLACEMENT_INVALID",
      of({ kind: "range", bounds: "bytes", rows: [{ start: 5, end: -1 }] }),
      /5 -1/,
    ],
    [
      "PLACEMENT_INVALID",
      of({ kind: "range", bounds: "bytes", rows: [{ start: "0", end: -1 }] }),
      /0 -1/,
    ],
    ["PLACEMENT_INVALID", of({ kind: "range", bounds: "text", rows: [] }), /bounds are/],
    ["PLACEMENT_INVALID", of({ kind: "list", rows: [null] }), /text value and a shard/],
    ["PLACEMENT_INVALID", of({ kind: "modular", buckets: ["a"] }), /`by` must be/],
    ["PLACEMENT_INVALID", of({ kind: "indexed", entries: [] }), /`base` must be an object/],
    ["PLACEMENT_INVALID", of(nested(4)), /deeper than 4/],
    ["PLACEMENT_INVALID", of(entries(null)), /an entry needs/],
    ["PLACEMENT_INVALID", of(entries({ ...row, epoch: -1 })), /an entry needs/],
    ["PLACEMENT_INVALID", of(entries({ ...row, state: "moving" })), /a state is one of/],
    ["PLACEMENT_INVALID", of(entries({ ...row, to: "b" })), /`to` names another shard/],
    ["PLACEMENT_INVALID", of(entries({ ...row, state: "fenced" })), /`to` names another shard/],
    ["PLACEMENT_INVALID", of(entries({ ...row, state: "fenced", to: "a" })), /`to` names/],
    ["PLACEMENT_INVALID", of(entries(row, row)), /a key has two entries/],
  ])("%s %s", (code, json, message) => {
    expect(() => placementOf(json)).toThrow(
      expect.objectContaining({
        code: `TENFOLD_PARTITIONING_${code}`,
        message: expect.stringMatching(message),
      }),
    );
  });

  test("whatever JSON comes, the answer is a placement or a coded error", () => {
    const kind = fc.constantFrom("slots", "range", "modular", "list", "indexed", "composite");
    const fields = fc.record({ kind, version: fc.constantFrom(1, "1", null) });
    const rest = fc.constantFrom("rows", "buckets", "base", "outer", "inside", "entries", "ranges");
    const values = fc.dictionary(rest, fc.jsonValue({ maxDepth: 3 }));
    fc.assert(
      fc.property(fields, values, (head, more) => {
        try {
          placementOf(of({ ...head, ...more }));
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^TENFOLD_(PART|OPTION)/) });
        }
      }),
    );
  });
});

test("an invalid or older placement never takes effect: the last good one stays", () => {
  const held = heldPlacement(placementOf);
  expect(held.current).toBeUndefined();
  expect(() => held.take("{}")).toThrow();
  expect(held.current).toBeUndefined();
  const good = held.take(encodePlacement(composite));
  const gap = '{"format":1,"kind":"range","version":9,"rows":[{"start":0,"end":5,"shard":"a"}]}';
  for (const bad of ["", "null", gap, encodePlacement(list)]) {
    expect(() => held.take(bad)).toThrow(/TENFOLD|placement/i);
    expect(held.current).toBe(good);
  }
  expect(() => held.take(encodePlacement(list))).toThrow(
    expect.objectContaining({ code: "TENFOLD_PARTITIONING_VERSION_STALE" }),
  );
  held.take(encodePlacement(composite).replace('"version":3', '"version":4'));
  expect(held.current?.version).toBe(4);
});

test("a placement that names a shard that there is not never takes effect", () => {
  const held = heldPlacement(decodeSlotMap, ["a", "b"]);
  const good = held.take(encodeSlotMap(evenSlotMap(["a", "b"], 8)));
  const elsewhere = encodeSlotMap({ ...evenSlotMap(["b", "c"], 8), version: 2 });
  expect(() => held.take(elsewhere)).toThrow(
    expect.objectContaining({
      code: "TENFOLD_PARTITIONING_PLACEMENT_INVALID",
      details: { problem: "shard", rows: [{ shard: "c" }] },
    }),
  );
  expect(held.current).toBe(good);
  expect(held.take(encodeSlotMap({ ...evenSlotMap(["b"], 8), version: 2 })).version).toBe(2);
});
