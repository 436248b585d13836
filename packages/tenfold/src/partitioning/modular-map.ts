import { invalidOption, shown } from "../runtime/options.ts";
import type { KeyMap, PartitionKey } from "./key-map.ts";
import {
  checkedVersion,
  checkRowCount,
  distinctShards,
  invalidPlacement,
  keyOutOfRange,
} from "./placement-error.ts";
import { comparableKey } from "./range-bound.ts";
import { hashOf } from "./slot.ts";

export const modularDefaults: { readonly preShardedBuckets: number } = Object.freeze({
  preShardedBuckets: 1024,
});
export const modularLimits: { readonly bucketsMax: number } = Object.freeze({ bucketsMax: 16_384 });

/** What is divided: the whole number that the key is, or the key's hash. */
export type ModularBasis = "value" | "hash";

/** What a modular placement says: a key is in bucket `basis % buckets`. */
export interface ModularPlacement {
  readonly version: number;
  readonly by: ModularBasis;
  /** The shard of each bucket; a shard may hold many. */
  readonly buckets: readonly string[];
}

/** A modular placement that was checked, with constant-time look-up. */
export interface ModularMap extends ModularPlacement, KeyMap {
  readonly kind: "modular";
  /** 0 … buckets − 1. @throws as `shardOfKey` */
  bucketOf(key: PartitionKey): number;
}

/**
 * Checks a modular placement. Growing it by other than doubling moves most keys: from 2 to 3
 * buckets two of three.
 *
 * @throws TENFOLD_PARTITIONING_PLACEMENT_INVALID with `details.problem` (basis, shard, count,
 *   version)
 */
export function modularMap(placement: ModularPlacement): ModularMap {
  const version = checkedVersion(placement.version);
  const { by } = placement;
  if (by !== "value" && by !== "hash") {
    throw invalidPlacement("basis", `\`by\` must be "value" or "hash", got ${shown(by)}`);
  }
  const buckets = Object.freeze([...placement.buckets]);
  const count = buckets.length;
  checkRowCount("buckets", count, modularLimits.bucketsMax);
  for (const [bucket, shard] of buckets.entries()) {
    if (typeof shard !== "string" || shard === "") {
      throw invalidPlacement("shard", "every bucket must name its shard", [
        { bucket, shard: String(shard) },
      ]);
    }
  }
  const divisor = BigInt(count);
  const bucketOf = (key: PartitionKey): number => {
    if (by === "hash") return hashOf(key) % count;
    const value = comparableKey(key, "integer") as bigint;
    if (value < 0n) throw keyOutOfRange("keys are whole numbers from 0", key);
    return Number(value % divisor);
  };
  return Object.freeze({
    kind: "modular",
    version,
    by,
    buckets,
    shards: distinctShards(buckets),
    bucketOf,
    shardOfKey: (key: PartitionKey) => buckets[bucketOf(key)] as string,
  });
}

/**
 * Many buckets on few shards, in turn: growth hands over whole buckets, no key changes its bucket.
 * @param buckets at least as many as shards, 1 … 16,384.
 */
export function preSharded(
  shards: readonly string[],
  buckets: number = modularDefaults.preShardedBuckets,
  by: ModularBasis = "hash",
): ModularMap {
  const fits = Number.isInteger(buckets) && buckets >= Math.max(1, shards.length);
  if (!fits || buckets > modularLimits.bucketsMax || shards.length === 0) {
    const expected = `from the number of shards (at least one) to ${modularLimits.bucketsMax}`;
    throw invalidOption("buckets", expected, buckets);
  }
  const owners = Array.from({ length: buckets }, (_, i) => shards[i % shards.length] as string);
  return modularMap({ version: 1, by, buckets: owners });
}

/**
 * The next version with twice the buckets: bucket i keeps one half of its keys, its sibling i + n
 * gets the other. A sibling that was a replica of i needs no copy, each just deletes what it lost.
 *
 * @param siblings the shard of each new bucket, in the order of the old ones; as they are, no key
 *   moves.
 * @throws TENFOLD_PARTITIONING_PLACEMENT_INVALID
 */
export function doubledModularMap(
  map: ModularMap,
  siblings: readonly string[] = map.buckets,
): ModularMap {
  if (siblings.length !== map.buckets.length) {
    const what = `${map.buckets.length} buckets need as many siblings, got ${siblings.length}`;
    throw invalidPlacement("count", what);
  }
  const buckets = [...map.buckets, ...siblings];
  return modularMap({ version: map.version + 1, by: map.by, buckets });
}
