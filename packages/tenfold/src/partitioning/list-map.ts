import { shown } from "../runtime/options.ts";
import type { KeyMap, PartitionKey } from "./key-map.ts";
import {
  checkedVersion,
  checkRowCount,
  distinctShards,
  invalidKey,
  invalidPlacement,
  keyOutOfRange,
} from "./placement-error.ts";

export const listLimits: { readonly rowsMax: number } = Object.freeze({ rowsMax: 16_384 });

/** The one key `value`, as text, lives on `shard`. */
export interface ListRow {
  readonly value: string;
  readonly shard: string;
}

/** What a list says: every key it may be asked for, such as regions, by name. */
export interface ListPlacement {
  readonly version: number;
  readonly rows: readonly ListRow[];
}

/** A list that was checked, with constant-time look-up. */
export interface ListMap extends ListPlacement, KeyMap {
  readonly kind: "list";
}

/**
 * @throws TENFOLD_PARTITIONING_PLACEMENT_INVALID with `details.problem` (twice, row, count,
 *   version) and the offending `details.rows`
 */
export function listMap(placement: ListPlacement): ListMap {
  const version = checkedVersion(placement.version);
  checkRowCount("the rows of a list", placement.rows.length, listLimits.rowsMax);
  const rows = placement.rows.map(({ value, shard }) => Object.freeze({ value, shard }));
  const shardOf = new Map<string, string>();
  for (const row of rows) {
    const { value, shard } = row;
    if (typeof value !== "string" || typeof shard !== "string" || shard === "") {
      const came = { value: shown(value), shard: shown(shard) };
      throw invalidPlacement("row", "a row must have a text value and a shard", [came]);
    }
    const other = shardOf.get(value);
    if (other !== undefined) {
      throw invalidPlacement("twice", "a value is listed twice", [{ value, shard: other }, row]);
    }
    shardOf.set(value, shard);
  }
  return Object.freeze({
    kind: "list",
    version,
    rows: Object.freeze(rows),
    shards: distinctShards(shardOf.values()),
    shardOfKey(key: PartitionKey): string {
      const shard = shardOf.get(keyText(key));
      if (shard === undefined) throw keyOutOfRange("it is not on the list", key);
      return shard;
    },
  });
}

/** A key by which single keys are looked up: a number as its decimal text. */
export function keyText(key: PartitionKey): string {
  if (typeof key === "string") return key;
  if (typeof key === "bigint") return key.toString();
  throw invalidKey("a bigint or text", key);
}
