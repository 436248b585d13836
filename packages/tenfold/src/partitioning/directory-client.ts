import { numberOption } from "../runtime/options.ts";
import type { DirectoryEntry, KeyState } from "./directory-entry.ts";
import type { KeyFilter } from "./key-filter.ts";
import type { KeyMap, PartitionKey } from "./key-map.ts";
import { keyText } from "./list-map.ts";

export interface DirectoryClientOptions {
  /** The placement of every key that has no entry, as this process last knew it. */
  readonly base: () => KeyMap;
  /** How many single keys are remembered: 1 … 10,000,000. Default 10,000. */
  readonly entriesMax?: number;
}

export const directoryClientDefaults: { readonly entriesMax: number } = Object.freeze({
  entriesMax: 10_000,
});

/** Where to take a call, and the epoch to send with it. */
export interface KeyRoute {
  readonly shard: string;
  /** The shard refuses a call by an older epoch than its own. */
  readonly epoch: number;
  /** As last heard; what goes is what the shard says. */
  readonly state: KeyState;
  /**
   * `entry`: remembered. `default`: the key has no entry, as far as was heard. `unsure`: it may
   * have one; ask the directory, or just call: the default place forwards.
   */
  readonly source: "entry" | "default" | "unsure";
}

export interface DirectoryClientStats {
  readonly remembered: number;
  readonly evictions: number;
  /** Routes by their source. */
  readonly routes: Readonly<Record<KeyRoute["source"], number>>;
}

/**
 * What a client knows of a directory, and routes by, whether or not the directory is there. What it
 * hears makes it fast; what makes it right is that shards check the epoch.
 */
export interface DirectoryClient {
  route(key: PartitionKey): KeyRoute;
  /**
   * Takes what the directory answered or pushed, or what a former home said; false when something
   * newer is known.
   */
  learn(entry: DirectoryEntry): boolean;
  /** The directory has no entry of this key. */
  learnDefault(key: PartitionKey): void;
  /** Takes a newer filter of the directory's; without one every new key is `unsure`. */
  takeFilter(filter: KeyFilter): void;
  stats(): DirectoryClientStats;
}

/** A client that knows nothing yet. Every call is O(1). @throws TENFOLD_OPTION_INVALID */
export function directoryClient(options: DirectoryClientOptions): DirectoryClient {
  const { base } = options;
  const entriesMax = numberOption(
    "entriesMax",
    options.entriesMax ?? directoryClientDefaults.entriesMax,
    { min: 1, max: 10_000_000 },
  );
  /** In the order of use; `none` for a key that the directory has no entry of. */
  const known = new Map<string, DirectoryEntry | "none">();
  const routes = { entry: 0, default: 0, unsure: 0 };
  let filter: KeyFilter | undefined;
  let evictions = 0;

  const remember = (key: string, what: DirectoryEntry | "none"): void => {
    known.delete(key);
    known.set(key, what);
    if (known.size <= entriesMax) return;
    for (const oldest of known.keys()) {
      known.delete(oldest);
      evictions += 1;
      break;
    }
  };
  const epochOf = (key: string): number => {
    const found = known.get(key);
    return found === undefined || found === "none" ? 0 : found.epoch;
  };
  return {
    route(key) {
      const text = keyText(key);
      const found = known.get(text);
      if (found !== undefined) remember(text, found);
      if (found !== undefined && found !== "none") {
        routes.entry += 1;
        const { shard, epoch, state } = found;
        return { shard, epoch, state, source: "entry" };
      }
      const certain = found === "none" || filter?.mayHold(text) === false;
      const source = certain ? "default" : "unsure";
      routes[source] += 1;
      return { shard: base().shardOfKey(key), epoch: 0, state: "active", source };
    },
    learn(entry) {
      const { key, epoch, state } = entry;
      if (epoch < epochOf(key)) return false;
      filter?.add(key);
      if (epoch === 0 && state === "active") remember(key, "none");
      else remember(key, state === "forwarded" ? { ...entry, state: "active" } : entry);
      return true;
    },
    learnDefault(key) {
      const text = keyText(key);
      if (epochOf(text) === 0) remember(text, "none");
    },
    takeFilter(next) {
      filter = next;
      for (const [key, what] of known) if (what !== "none") next.add(key);
    },
    stats: () => ({ remembered: known.size, evictions, routes: { ...routes } }),
  };
}
