import {
  type NearCacheOptions,
  type NearCacheStats,
  nearCache,
  nearCacheDefaults,
} from "./near-cache.ts";
import { type SingleFlightOptions, singleFlight } from "./single-flight.ts";

export interface CachedOptions<V> extends NearCacheOptions<V>, SingleFlightOptions {
  /** Fetches the value of a key. What it throws reaches every waiter and is not kept. */
  readonly load: (key: string, signal: AbortSignal) => Promise<V>;
  /** Is this value a "there is none", to be kept for `negativeTtlMs` only? Default: none is. */
  readonly isNegative?: (value: V) => boolean;
  /** Default a tenth of `ttlMs`. */
  readonly negativeTtlMs?: number;
}

export interface CachedResult<V> {
  readonly value: V;
  /** loaded: fetched for this call or for one that it joined. */
  readonly source: "cache" | "loaded";
  /** How long ago the value was stored; 0 when it was loaded. */
  readonly ageMs: number;
}

/** A loader behind a near cache: at most one load a key at a time, bounded in entries and bytes. */
export interface Cached<V> {
  /** @throws what the load throws; TENFOLD_ABORTED; TENFOLD_CACHING_FLIGHTS_EXCEEDED (retryable) */
  get(
    key: string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<CachedResult<V>>;
  stats(): { readonly values: NearCacheStats; readonly negatives: NearCacheStats };
}

/** Negative results have a tenth of the room, so that a flood of unknown keys evicts no value. */
const negativeShare = 10;

/** Puts a near cache and single flight before `load`. @throws TENFOLD_OPTION_INVALID */
export function cached<V>(options: CachedOptions<V>): Cached<V> {
  const { load, isNegative = () => false, ttlMs } = options;
  const { entriesMax, bytesMax } = { ...nearCacheDefaults, ...options };
  const values = nearCache<V>(options);
  const negatives = nearCache<V>({
    ...options,
    ttlMs: options.negativeTtlMs ?? ttlMs / negativeShare,
    entriesMax: Math.ceil(entriesMax / negativeShare),
    bytesMax: Math.ceil(bytesMax / negativeShare),
  });
  const flights = singleFlight<V>(options);
  const loadAndKeep = async (key: string, signal: AbortSignal): Promise<V> => {
    const value = await load(key, signal);
    (isNegative(value) ? negatives : values).set(key, value);
    return value;
  };
  return {
    async get(key, callOptions) {
      const hit = values.get(key) ?? negatives.get(key);
      if (hit !== undefined) return { value: hit.value, source: "cache", ageMs: hit.ageMs };
      const value = await flights.run(key, (signal) => loadAndKeep(key, signal), callOptions);
      return { value, source: "loaded", ageMs: 0 };
    },
    stats: () => ({ values: values.stats(), negatives: negatives.stats() }),
  };
}
