import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { compositeMap } from "./composite-map.ts";
import { indexedMap } from "./indexed-map.ts";
import { listMap } from "./list-map.ts";
import { rangeMap } from "./range-map.ts";
import { evenSlotMap } from "./slot-map.ts";

const small = evenSlotMap(["s-0", "s-1"]);
const large = evenSlotMap(["l-0", "l-1", "l-2"]);
const outer = rangeMap({
  version: 1,
  rows: [
    { start: 0, end: 1000, shard: "small" },
    { start: 1000, end: -1, shard: "large" },
  ],
});
const tenants = compositeMap({
  version: 1,
  separator: "/",
  outer,
  inside: new Map([
    ["small", small],
    ["large", large],
  ]),
});

test("a range of tenants, hashed within", () => {
  fc.assert(
    fc.property(fc.nat({ max: 5_000 }), fc.string(), (tenant, rest) => {
      const within = tenant < 1000 ? small : large;
      expect(tenants.shardOfKey(`${tenant}/${rest}`)).toBe(within.shardOfKey(rest));
      expect(tenants.groupOf(`${tenant}/${rest}`)).toBe(tenant < 1000 ? "small" : "large");
    }),
  );
  expect(tenants.shards).toEqual(["s-0", "s-1", "l-0", "l-1", "l-2"]);
});

test("and single keys elsewhere on top of it all", () => {
  const entry = { key: "7/celebrity", shard: "alone", epoch: 1, state: "active" } as const;
  const map = indexedMap({ version: 1, base: tenants, entries: [entry] });
  expect(map.shardOfKey("7/celebrity")).toBe("alone");
  expect(map.shardOfKey("7/other")).toBe(tenants.shardOfKey("7/other"));
  expect(map.shards).toContain("alone");
});

test("regions by name", () => {
  const rows = [
    { value: "eu", shard: "eu" },
    { value: "us", shard: "us" },
  ];
  const map = compositeMap({
    version: 1,
    separator: ":",
    outer: listMap({ version: 1, rows }),
    inside: new Map([
      ["eu", evenSlotMap(["eu-0"])],
      ["us", evenSlotMap(["us-0"])],
    ]),
  });
  expect([map.shardOfKey("eu:1"), map.shardOfKey("us:1:2")]).toEqual(["eu-0", "us-0"]);
  expect(() => map.shardOfKey("mars:1")).toThrow(
    expect.objectContaining({ code: "TENFOLD_PARTITIONING_KEY_OUT_OF_RANGE" }),
  );
});

test.each(["7", "", 7n])("a key without a prefix: %o", (key) => {
  expect(() => tenants.shardOfKey(key)).toThrow(
    expect.objectContaining({ code: "TENFOLD_PARTITIONING_KEY_INVALID" }),
  );
});

describe("refused", () => {
  test.each<[string, object]>([
    ["group", { inside: new Map([["small", small]]) }],
    [
      "group",
      {
        inside: new Map([
          ["small", small],
          ["large", large],
          ["lost", large],
        ]),
      },
    ],
    ["separator", { separator: "" }],
    ["separator", { separator: "//" }],
    ["count", { inside: new Map() }],
    ["version", { version: 0 }],
  ])("%s", (problem, over) => {
    expect(() => compositeMap({ ...tenants, ...over })).toThrow(
      expect.objectContaining({
        code: "TENFOLD_PARTITIONING_PLACEMENT_INVALID",
        details: expect.objectContaining({ problem }),
      }),
    );
  });

  test("a list that says a value twice or names no shard", () => {
    const list = (...rows: [string, string][]) =>
      listMap({ version: 1, rows: rows.map(([value, shard]) => ({ value, shard })) });
    expect(() => list(["eu", "a"], ["eu", "b"])).toThrow(/listed twice \(rows: eu a, eu b\)/);
    expect(() => list(["eu", ""])).toThrow(/text value and a shard/);
    expect(() => list()).toThrow(/1 to/);
  });
});
