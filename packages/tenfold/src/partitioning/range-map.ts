import type { TenfoldError } from "../runtime/errors.ts";
import type { KeyMap, PartitionKey } from "./key-map.ts";
import {
  checkedVersion,
  checkRowCount,
  distinctShards,
  invalidPlacement,
  keyOutOfRange,
  type ShownRow,
} from "./placement-error.ts";
import {
  type BoundKind,
  boundText,
  comparableKey,
  compareBounds,
  openEnd,
  type RangeBound,
} from "./range-bound.ts";

export const rangeLimits: { readonly rowsMax: number } = Object.freeze({ rowsMax: 16_384 });

/** Keys from `start` to just before `end` live on `shard`; end −1 is open. */
export interface RangeRow {
  readonly start: RangeBound;
  readonly end: RangeBound;
  readonly shard: string;
}

/** What a range table says. */
export interface RangePlacement {
  readonly version: number;
  /** In key order and without gap or overlap; the last one, and no other, has an open end. */
  readonly rows: readonly RangeRow[];
}

/** A row that was checked. `end` is undefined in the last one. */
export interface CheckedRange {
  readonly start: bigint | Uint8Array;
  readonly end: bigint | Uint8Array | undefined;
  readonly shard: string;
}

/** A range table that was checked; look-up takes O(log rows). */
export interface RangeMap extends KeyMap {
  readonly kind: "range";
  readonly bounds: BoundKind;
  readonly rows: readonly CheckedRange[];
  /** The row that holds a key. @throws as `shardOfKey` */
  rowOf(key: PartitionKey): CheckedRange;
}

/**
 * Checks a range table. Ids in order of time make bad keys for it: every new row lands on the last
 * shard; see `keyOrder` and `reversedBits`.
 *
 * @throws TENFOLD_PARTITIONING_PLACEMENT_INVALID with `details.problem` (gap, overlap, order,
 *   inverted, bound, open-end, shard, count, version) and the offending `details.rows`
 */
export function rangeMap(placement: RangePlacement): RangeMap {
  const version = checkedVersion(placement.version);
  checkRowCount("the rows of a range table", placement.rows.length, rangeLimits.rowsMax);
  const bounds: BoundKind = placement.rows[0]?.start instanceof Uint8Array ? "bytes" : "integer";
  const rows = placement.rows.map((row) => checkedRow(row, bounds));
  const openRows = rows.filter(({ end }) => end === undefined);
  if (openRows.length > 1) throw invalid("open-end", "only one end may be open", openRows);
  const last = rows.at(-1) as CheckedRange;
  if (openRows[0] !== last) {
    const what = "the last row, and no other, must have the open end -1";
    throw invalid("open-end", what, [...openRows, last]);
  }
  for (let at = 1; at < rows.length; at++) {
    checkNeighbours(rows[at - 1] as CheckedRange, rows[at] as CheckedRange);
  }
  const starts = rows.map(({ start }) => start);
  const rowOf = (key: PartitionKey): CheckedRange => {
    const comparable = comparableKey(key, bounds);
    const row = rows[lastAtMost(starts, comparable)];
    if (row !== undefined) return row;
    throw keyOutOfRange(`the first row starts at ${boundText(starts[0] as bigint)}`, key);
  };
  return Object.freeze({
    kind: "range",
    version,
    bounds,
    rows: Object.freeze(rows),
    shards: distinctShards(rows.map(({ shard }) => shard)),
    rowOf,
    shardOfKey: (key: PartitionKey) => rowOf(key).shard,
  });
}

/**
 * The next version, in which the keys from `at` to the end of their row live on `shard`.
 * @throws TENFOLD_PARTITIONING_PLACEMENT_INVALID when a row starts there already
 */
export function splitRange(map: RangeMap, at: bigint | Uint8Array, shard: string): RangeMap {
  const found = map.rowOf(at);
  const rows = map.rows.flatMap((row) =>
    row === found
      ? [
          { ...row, end: at },
          { ...row, start: at, shard },
        ]
      : [row],
  );
  return rangeMap({ version: map.version + 1, rows: rows.map(plainRow) });
}

/** The row as `rangeMap` takes it. */
function plainRow({ start, end, shard }: CheckedRange): RangeRow {
  return { start, end: end ?? openEnd, shard };
}

function checkedRow(row: RangeRow, kind: BoundKind): CheckedRange {
  if (typeof row.shard !== "string" || row.shard === "") {
    throw invalidPlacement("shard", "every row must name its shard", [shownInput(row)]);
  }
  const start = checkedBound(row.start, kind);
  const open = row.end === openEnd || row.end === BigInt(openEnd);
  const end = open ? undefined : checkedBound(row.end, kind);
  if (start === undefined || (end === undefined && !open)) {
    const expected = kind === "bytes" ? "bytes" : "whole numbers from 0";
    const what = `bounds must all be ${expected}, the open end -1`;
    throw invalidPlacement("bound", what, [shownInput(row)]);
  }
  const checked = Object.freeze({ start, end, shard: row.shard });
  if (end !== undefined && compareBounds(start, end) >= 0) {
    throw invalid("inverted", "a row must end after its start", [checked]);
  }
  return checked;
}

/** The bound in its own kind, bytes as a copy; undefined when it is none of this kind. */
function checkedBound(bound: RangeBound, kind: BoundKind): bigint | Uint8Array | undefined {
  if (bound instanceof Uint8Array) return kind === "bytes" ? bound.slice() : undefined;
  if (kind === "bytes") return undefined;
  if (typeof bound === "number" && !Number.isSafeInteger(bound)) return undefined;
  if (typeof bound !== "number" && typeof bound !== "bigint") return undefined;
  return bound < 0 ? undefined : BigInt(bound);
}

function checkNeighbours(before: CheckedRange, row: CheckedRange): void {
  const pair = [before, row];
  if (compareBounds(row.start, before.start) < 0) {
    throw invalid("order", "rows must be in the order of their keys", pair);
  }
  const gap = compareBounds(row.start, before.end as bigint);
  if (gap > 0) throw invalid("gap", "nothing holds the keys between two rows", pair);
  if (gap < 0) throw invalid("overlap", "keys are held twice", pair);
}

/** Where the last element that is not above the key stands; −1 when all are. */
function lastAtMost(starts: readonly (bigint | Uint8Array)[], key: bigint | Uint8Array): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBounds(starts[middle] as bigint, key) <= 0) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function invalid(problem: string, what: string, rows: readonly CheckedRange[]): TenfoldError {
  return invalidPlacement(problem, what, rows.map(shownRow));
}

function shownRow({ start, end, shard }: CheckedRange): ShownRow {
  return { start: boundText(start), end: end === undefined ? openEnd : boundText(end), shard };
}

function shownInput({ start, end, shard }: RangeRow): ShownRow {
  const shown = (bound: unknown): string =>
    bound instanceof Uint8Array ? boundText(bound) : String(bound);
  return { start: shown(start), end: shown(end), shard: String(shard) };
}
