import { type DirectoryEntry, directoryEntryOf } from "./directory-entry.ts";
import type { KeyMap, PartitionKey } from "./key-map.ts";
import { keyText } from "./list-map.ts";
import { checkedVersion, distinctShards, invalidPlacement } from "./placement-error.ts";

export const indexedLimits: { readonly entriesMax: number } = Object.freeze({ entriesMax: 10_000 });

/**
 * What an index says: single keys that live elsewhere than the base placement has them. For more
 * of them than one entry of the coordinator holds, keep a `directory`.
 */
export interface IndexedPlacement<Base extends KeyMap = KeyMap> {
  readonly version: number;
  readonly base: Base;
  readonly entries: readonly DirectoryEntry[];
}

/** An index that was checked, with constant-time look-up of its own keys. */
export interface IndexedMap<Base extends KeyMap = KeyMap> extends IndexedPlacement<Base>, KeyMap {
  readonly kind: "indexed";
  /** What is said of this very key; undefined when the base placement goes. */
  entryOf(key: PartitionKey): DirectoryEntry | undefined;
}

/**
 * @throws TENFOLD_PARTITIONING_PLACEMENT_INVALID with `details.problem` (twice, entry, state, to,
 *   count, version) and the offending `details.rows`
 */
export function indexedMap<Base extends KeyMap>(
  placement: IndexedPlacement<Base>,
): IndexedMap<Base> {
  const version = checkedVersion(placement.version);
  const { base } = placement;
  if (placement.entries.length > indexedLimits.entriesMax) {
    const what = `at most ${indexedLimits.entriesMax} entries, got ${placement.entries.length}`;
    throw invalidPlacement("count", what);
  }
  const entries = placement.entries.map(directoryEntryOf);
  const byKey = new Map<string, DirectoryEntry>();
  for (const entry of entries) {
    const other = byKey.get(entry.key);
    if (other !== undefined) {
      throw invalidPlacement("twice", "a key has two entries", [{ ...other }, { ...entry }]);
    }
    byKey.set(entry.key, entry);
  }
  const entryOf = (key: PartitionKey): DirectoryEntry | undefined => byKey.get(keyText(key));
  return Object.freeze({
    kind: "indexed",
    version,
    base,
    entries: Object.freeze(entries),
    shards: distinctShards([...base.shards, ...entries.map(({ shard }) => shard)]),
    entryOf,
    shardOfKey: (key: PartitionKey) => entryOf(key)?.shard ?? base.shardOfKey(key),
  });
}
