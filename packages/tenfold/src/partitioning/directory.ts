import { TenfoldError } from "../runtime/errors.ts";
import { numberOption } from "../runtime/options.ts";
import { type DirectoryEntry, type MoveStep, steppedEntry } from "./directory-entry.ts";
import { type KeyFilter, keyFilter } from "./key-filter.ts";
import type { KeyMap, PartitionKey } from "./key-map.ts";
import { keyText } from "./list-map.ts";

export interface DirectoryOptions {
  /** The placement of every key that has no entry, as it is now. */
  readonly base: () => KeyMap;
  /** How many keys may live elsewhere: 1 … 10,000,000. Default 1,000,000. */
  readonly entriesMax?: number;
}

export const directoryDefaults: { readonly entriesMax: number } = Object.freeze({
  entriesMax: 1_000_000,
});

/**
 * Says of every key where it lives and in which state. Only exceptions take room: a key that never
 * left its default place has none. The one who keeps it stores each entry before acting on it.
 */
export interface Directory {
  readonly size: number;
  /** What goes for a key; of one without entry the default, with epoch 0. */
  find(key: PartitionKey): DirectoryEntry;
  /** The entry itself, if there is one. */
  entryOf(key: PartitionKey): DirectoryEntry | undefined;
  /**
   * Takes one step of a move. Tell the result to the shards concerned (source, target and the
   * key's default place), and to the clients.
   * @throws TENFOLD_PARTITIONING_MOVE_INVALID, TENFOLD_PARTITIONING_DIRECTORY_FULL
   */
  step(key: PartitionKey, step: MoveStep): DirectoryEntry;
  /** Takes an entry as it was stored; an older epoch than the known one is left. */
  restore(entry: DirectoryEntry): void;
  entries(): Iterable<DirectoryEntry>;
  /** A filter for clients of which keys may have an entry, with room for twice as many. */
  filter(): KeyFilter;
}

/** A directory without entries. @throws TENFOLD_OPTION_INVALID */
export function directory(options: DirectoryOptions): Directory {
  const { base } = options;
  const entriesMax = numberOption(
    "entriesMax",
    options.entriesMax ?? directoryDefaults.entriesMax,
    { min: 1, max: 10_000_000 },
  );
  const entries = new Map<string, DirectoryEntry>();
  const find = (key: PartitionKey): DirectoryEntry => {
    const text = keyText(key);
    return (
      entries.get(text) ?? { key: text, shard: base().shardOfKey(key), epoch: 0, state: "active" }
    );
  };
  const put = (entry: DirectoryEntry): void => {
    if (entries.size >= entriesMax && !entries.has(entry.key)) {
      throw new TenfoldError(
        "TENFOLD_PARTITIONING_DIRECTORY_FULL",
        `The directory holds ${entriesMax} entries, which is its limit.`,
        { details: { entriesMax } },
      );
    }
    entries.set(entry.key, entry);
  };
  return {
    get size() {
      return entries.size;
    },
    find,
    entryOf: (key) => entries.get(keyText(key)),
    step(key, step) {
      const entry = steppedEntry(find(key), step);
      // It never moved, so no shard and no client holds a newer epoch against its default place.
      if (entry.epoch === 0 && entry.state === "active") entries.delete(entry.key);
      else put(entry);
      return entry;
    },
    restore(entry) {
      if (entry.epoch >= find(entry.key).epoch) put(entry);
    },
    entries: () => entries.values(),
    filter() {
      const filter = keyFilter({
        keysMax: Math.min(10_000_000, Math.max(1_000, entries.size * 2)),
      });
      for (const key of entries.keys()) filter.add(key);
      return filter;
    },
  };
}
