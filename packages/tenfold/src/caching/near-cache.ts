import type { Clock } from "../runtime/clock.ts";
import { numberOption } from "../runtime/options.ts";

export interface NearCacheOptions<V> {
  readonly clock: Pick<Clock, "now">;
  /** How long an entry is served: 1 … 604,800,000 (a week). */
  readonly ttlMs: number;
  /** How many entries are kept at most: 1 … 10,000,000. Default 10,000. */
  readonly entriesMax?: number;
  /** How many bytes are kept at most, by `bytesOf`. Default 16 MiB. */
  readonly bytesMax?: number;
  /** What an entry weighs, roughly; at least 1 is counted. */
  readonly bytesOf: (value: V, key: string) => number;
}

export const nearCacheDefaults: { readonly entriesMax: number; readonly bytesMax: number } =
  Object.freeze({ entriesMax: 10_000, bytesMax: 16 * 1024 * 1024 });

export interface NearCacheHit<V> {
  readonly value: V;
  readonly ageMs: number;
}

export interface NearCacheStats {
  readonly entries: number;
  readonly bytes: number;
  readonly hits: number;
  readonly misses: number;
  /** Entries that left for want of room, not for their age. */
  readonly evictions: number;
}

/** A bounded cache in this process: the least recently used goes first, the old is not served. */
export interface NearCache<V> {
  get(key: string): NearCacheHit<V> | undefined;
  /** Keeps the value; false when it alone is over `bytesMax`, and then the key is empty. */
  set(key: string, value: V): boolean;
  delete(key: string): void;
  clear(): void;
  stats(): NearCacheStats;
}

interface Kept<V> {
  readonly value: V;
  readonly bytes: number;
  readonly storedAt: number;
}

/**
 * A near cache. Every operation is O(1) amortised; a `Map` keeps the order of use.
 *
 * @throws TENFOLD_OPTION_INVALID
 */
export function nearCache<V>(options: NearCacheOptions<V>): NearCache<V> {
  const { clock, bytesOf } = options;
  const ttlMs = numberOption("ttlMs", options.ttlMs, { min: 1, max: 604_800_000, whole: false });
  const entriesMax = numberOption(
    "entriesMax",
    options.entriesMax ?? nearCacheDefaults.entriesMax,
    { min: 1, max: 10_000_000 },
  );
  const bytesMax = numberOption("bytesMax", options.bytesMax ?? nearCacheDefaults.bytesMax, {
    min: 1,
    max: 2 ** 40,
  });
  const entries = new Map<string, Kept<V>>();
  let bytes = 0;
  let hits = 0;
  let misses = 0;
  let evictions = 0;

  const remove = (key: string): void => {
    const kept = entries.get(key);
    if (kept === undefined) return;
    entries.delete(key);
    bytes -= kept.bytes;
  };
  return {
    get(key) {
      const kept = entries.get(key);
      const ageMs = kept === undefined ? 0 : clock.now() - kept.storedAt;
      if (kept === undefined || ageMs >= ttlMs) {
        misses += 1;
        remove(key);
        return undefined;
      }
      hits += 1;
      entries.delete(key);
      entries.set(key, kept);
      return { value: kept.value, ageMs };
    },
    set(key, value) {
      remove(key);
      const size = Math.max(1, bytesOf(value, key));
      if (!(size <= bytesMax)) return false;
      entries.set(key, { value, bytes: size, storedAt: clock.now() });
      bytes += size;
      for (const oldest of entries.keys()) {
        if (entries.size <= entriesMax && bytes <= bytesMax) break;
        remove(oldest);
        evictions += 1;
      }
      return true;
    },
    delete: remove,
    clear() {
      entries.clear();
      bytes = 0;
    },
    stats: () => ({ entries: entries.size, bytes, hits, misses, evictions }),
  };
}
