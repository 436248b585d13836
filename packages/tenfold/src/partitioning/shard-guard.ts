import { TenfoldError } from "../runtime/errors.ts";
import { numberOption } from "../runtime/options.ts";
import type { DirectoryEntry } from "./directory-entry.ts";
import type { KeyMap, PartitionKey } from "./key-map.ts";
import { keyText } from "./list-map.ts";

export interface ShardGuardOptions {
  /** The shard that it guards. */
  readonly shard: string;
  /** The placement of every key that has no entry, as the shard last knew it. */
  readonly base: () => KeyMap;
  /** How many moved keys the shard may know of: 1 … 10,000,000. Default 1,000,000. */
  readonly rowsMax?: number;
}

export const shardGuardDefaults: { readonly rowsMax: number } = Object.freeze({
  rowsMax: 1_000_000,
});

/**
 * `here`: serve it. `wait`: nobody serves the key at this moment, or its move has not been told
 * here yet: try again shortly. `elsewhere`: go by this entry, which may name this very shard at a
 * newer epoch.
 */
export type Admission =
  | { readonly kind: "here" }
  | { readonly kind: "wait" }
  | { readonly kind: "elsewhere"; readonly entry: DirectoryEntry };

/**
 * What a shard knows of keys that moved, and the one check that keeps routing right: reads and
 * writes are served at the key's current epoch only, on the shard that holds it. The rows belong
 * into the shard's own store, beside the data; the check into the same transaction.
 */
export interface ShardGuard {
  /** @param epoch what the caller's route said. */
  check(key: PartitionKey, epoch: number): Admission;
  /**
   * Takes an entry that concerns this shard: a key that it holds, gets, or had. An older epoch than
   * its own is left.
   * @throws TENFOLD_PARTITIONING_DIRECTORY_FULL
   */
  apply(entry: DirectoryEntry): void;
  /** What is to be stored: of a key that left, its forward row. */
  rows(): Iterable<DirectoryEntry>;
}

/** A guard without rows. @throws TENFOLD_OPTION_INVALID */
export function shardGuard(options: ShardGuardOptions): ShardGuard {
  const { shard, base } = options;
  const rowsMax = numberOption("rowsMax", options.rowsMax ?? shardGuardDefaults.rowsMax, {
    min: 1,
    max: 10_000_000,
  });
  const rows = new Map<string, DirectoryEntry>();
  const here = Object.freeze({ kind: "here" });
  const wait = Object.freeze({ kind: "wait" });
  return {
    check(key, epoch) {
      const text = keyText(key);
      const row = rows.get(text);
      // The caller heard of a move before this shard did.
      if (epoch > (row?.epoch ?? 0)) return wait;
      if (row === undefined) {
        const home = base().shardOfKey(key);
        if (home === shard) return here;
        const entry: DirectoryEntry = { key: text, shard: home, epoch: 0, state: "active" };
        return { kind: "elsewhere", entry };
      }
      if (row.shard === shard && row.state === "fenced") return wait;
      if (row.shard === shard && epoch === row.epoch) return here;
      return { kind: "elsewhere", entry: row };
    },
    apply(entry) {
      const { key, epoch } = entry;
      const row = rows.get(key);
      if (epoch < (row?.epoch ?? 0)) return;
      if (row === undefined && rows.size >= rowsMax) {
        throw new TenfoldError(
          "TENFOLD_PARTITIONING_DIRECTORY_FULL",
          `Shard ${shard} knows of ${rowsMax} moved keys, which is its limit.`,
          { details: { rowsMax } },
        );
      }
      const left = entry.shard !== shard && entry.state === "active";
      rows.set(key, left ? { ...entry, state: "forwarded" } : entry);
    },
    rows: () => rows.values(),
  };
}
