import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { compareBounds, type RangeBound } from "./range-bound.ts";
import { type RangeRow, rangeMap, splitRange } from "./range-map.ts";

const row = (start: RangeBound, end: RangeBound, shard = "a"): RangeRow => ({ start, end, shard });
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const written = rangeMap({
  version: 1,
  rows: [
    row(0, 1000, "users-1"),
    row(1000, 2000, "users-2"),
    row(2000, 3500, "users-3"),
    row(3500, -1, "users-4"),
  ],
});

describe("the table 0–1000, 1000–2000, 2000–3500, 3500–open", () => {
  test.each([
    [0n, "users-1"],
    [999n, "users-1"],
    [1000n, "users-2"],
    [1999n, "users-2"],
    [2000n, "users-3"],
    [3499n, "users-3"],
    [3500n, "users-4"],
    [10n ** 30n, "users-4"],
  ])("%d lives on %s", (key, shard) => {
    expect(written.shardOfKey(key)).toBe(shard);
    expect(written.shardOfKey(key.toString())).toBe(shard);
  });

  test("a negative key is refused, it does not slip into the open end", () => {
    expect(() => written.shardOfKey(-1n)).toThrow(
      expect.objectContaining({
        code: "TENFOLD_PARTITIONING_KEY_OUT_OF_RANGE",
        details: { key: "-1" },
      }),
    );
  });

  test.each(["", "12x", "1.5", "01", "-0", "user", " 1", bytes(1), 5, null])(
    "%o is no key",
    (key) => {
      expect(() => written.shardOfKey(key as never)).toThrow(
        expect.objectContaining({ code: "TENFOLD_PARTITIONING_KEY_INVALID" }),
      );
    },
  );

  test("a shard is added by splitting a row", () => {
    const next = splitRange(written, 5000n, "users-5");
    expect([4999n, 5000n].map((key) => next.shardOfKey(key))).toEqual(["users-4", "users-5"]);
    expect(next.version).toBe(2);
    expect(next.shards).toEqual(["users-1", "users-2", "users-3", "users-4", "users-5"]);
    expect(() => splitRange(written, 1000n, "x")).toThrow(/must end after its start/);
  });
});

test("a key below the first row is refused", () => {
  const map = rangeMap({ version: 1, rows: [row(100, -1)] });
  expect(map.shardOfKey(100n)).toBe("a");
  expect(() => map.shardOfKey(99n)).toThrow(/the first row starts at 100/);
});

test("bytes go in lexicographic order, text by its UTF-8", () => {
  const m = new TextEncoder().encode("m");
  const map = rangeMap({ version: 1, rows: [row(bytes(), m, "a"), row(m, -1, "b")] });
  expect(["", "lz", "m", "é"].map((key) => map.shardOfKey(key))).toEqual(["a", "a", "b", "b"]);
  expect(map.shardOfKey(bytes(0xff))).toBe("b");
  expect(() => map.shardOfKey(1n)).toThrow(/text or bytes/);
});

test("every key is on the one row whose bounds hold it", () => {
  const cuts = fc.uniqueArray(fc.bigInt({ min: 1n, max: 1_000n }), { maxLength: 20 });
  fc.assert(
    fc.property(cuts, fc.bigInt({ min: 0n, max: 1_100n }), (given, key) => {
      const starts = [0n, ...given.toSorted((a, b) => compareBounds(a, b))];
      const rows = starts.map((start, i) => row(start, starts[i + 1] ?? -1, `s${i}`));
      const map = rangeMap({ version: 1, rows });
      const holding = map.rows.filter(
        ({ start, end }) =>
          compareBounds(start, key) <= 0 && (end === undefined || compareBounds(key, end) < 0),
      );
      expect(holding.map(({ shard }) => shard)).toEqual([map.shardOfKey(key)]);
    }),
  );
});

describe("what is no range table", () => {
  const shown = (start: string, end: string | number, shard = "a") => ({ start, end, shard });
  test.each<[string, readonly RangeRow[], readonly object[]]>([
    ["gap", [row(0, 10), row(11, -1)], [shown("0", "10"), shown("11", -1)]],
    ["overlap", [row(0, 10), row(9, -1)], [shown("0", "10"), shown("9", -1)]],
    ["order", [row(5, 10), row(0, 5), row(10, -1)], [shown("5", "10"), shown("0", "5")]],
    ["inverted", [row(10, 5), row(5, -1)], [shown("10", "5")]],
    ["inverted", [row(5, 5), row(5, -1)], [shown("5", "5")]],
    ["open-end", [row(0, -1), row(5, -1)], [shown("0", -1), shown("5", -1)]],
    ["open-end", [row(0, -1), row(5, 9)], [shown("0", -1), shown("5", "9")]],
    ["open-end", [row(0, 5), row(5, 9)], [shown("5", "9")]],
    ["bound", [row(0, -7)], [shown("0", "-7")]],
    ["bound", [row(-3, -1)], [shown("-3", "-1")]],
    ["bound", [row(0, 1.5), row(1.5, -1)], [shown("0", "1.5")]],
    ["bound", [row(0, 2 ** 53), row(2 ** 53, -1)], [shown("0", "9007199254740992")]],
    ["bound", [row(0, Number.NaN)], [shown("0", "NaN")]],
    ["bound", [row(0, bytes(1)), row(bytes(1), -1)], [shown("0", "01")]],
    ["bound", [row(bytes(1), 5), row(5, -1)], [shown("01", "5")]],
    ["shard", [row(0, -1, "")], [shown("0", "-1", "")]],
    ["count", [], []],
  ])("%s %#", (problem, rows, offending) => {
    expect(() => rangeMap({ version: 1, rows })).toThrow(
      expect.objectContaining({
        code: "TENFOLD_PARTITIONING_PLACEMENT_INVALID",
        details: { problem, rows: offending },
      }),
    );
  });

  test.each([0, -1, 1.5, Number.NaN])("version %d", (version) => {
    expect(() => rangeMap({ version, rows: [row(0, -1)] })).toThrow(/version/);
  });
});
