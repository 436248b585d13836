import { numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import type { RestorableLimiter, SavedLimiter } from "./rate-limiter.ts";
import { checkedAwayMs, invalidState, savedNumbers } from "./saved-state.ts";

export interface KeyedLimiterOptions<S extends SavedLimiter = SavedLimiter> {
  /**
   * So many keys are kept, the longest unused one is forgotten first and starts anew: 1 …
   * 1,000,000. With more keys in use than this the limit is no limit.
   */
  readonly keysMax: number;
  readonly limiter: () => RestorableLimiter<S>;
}

/** What is known of each key, as JSON, the longest unused key first. */
export interface SavedKeyedLimiter<S extends SavedLimiter = SavedLimiter> {
  readonly format: 1;
  readonly keys: readonly (readonly [key: string, limiter: S])[];
}

/** More keys than any limiter keeps. */
const keysMaxMax = 1_000_000;

/** Characters of a key that is saved: so a saved state has its bound too. */
const keyLengthMax = 1_024;

/** A limit for each user, address or API. */
export interface KeyedLimiter<S extends SavedLimiter = SavedLimiter> {
  /** As `RateLimiter.take`, for one key. O(1). */
  take(now: number, key: string, cost?: number): number;
  /** Keys that are kept. */
  readonly size: number;
  /** Keys of more than 1,024 characters are left out. O(keys). */
  save(now: number): SavedKeyedLimiter<S>;
  /**
   * Takes the place of all keys that are kept; of more than `keysMax` those that were used last.
   *
   * @param awayMs time between `save` and now, ≥ 0.
   * @throws TENFOLD_RESILIENCE_STATE_INVALID, TENFOLD_OPTION_INVALID; what was known before stays.
   */
  restore(now: number, saved: SavedKeyedLimiter<S>, awayMs?: number): void;
}

/** @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN */
export function keyedLimiter<S extends SavedLimiter>(
  options: KeyedLimiterOptions<S>,
): KeyedLimiter<S> {
  refuseUnknownKeys("keyedLimiter", options, ["keysMax", "limiter"]);
  const keysMax = numberOption("keysMax", options.keysMax, { min: 1, max: keysMaxMax });
  let limiters = new Map<string, RestorableLimiter<S>>();
  return {
    get size() {
      return limiters.size;
    },
    take(now, key, cost) {
      const limiter = limiters.get(key) ?? options.limiter();
      // A map keeps the order of insertion: the first key is the longest unused.
      limiters.delete(key);
      limiters.set(key, limiter);
      if (limiters.size > keysMax) limiters.delete(limiters.keys().next().value as string);
      return limiter.take(now, cost);
    },
    save(now) {
      const kept = [...limiters].filter(([key]) => key.length <= keyLengthMax);
      return { format: 1, keys: kept.map(([key, limiter]) => [key, limiter.save(now)]) };
    },
    restore(now, saved, awayMs = 0) {
      checkedAwayMs(awayMs);
      const restored = new Map<string, RestorableLimiter<S>>();
      for (const [key, state] of checkedKeys<S>(saved).slice(-keysMax)) {
        const limiter = options.limiter();
        limiter.restore(now, state, awayMs);
        restored.set(key, limiter);
      }
      limiters = restored;
    },
  };
}

function checkedKeys<S extends SavedLimiter>(value: unknown): readonly [key: string, state: S][] {
  savedNumbers("keyed limiter", value, {});
  const { keys } = value as { readonly keys?: unknown };
  if (!Array.isArray(keys) || keys.length > keysMaxMax || !keys.every(isPair)) {
    const expected = `at most ${keysMaxMax} pairs of a key and its limiter`;
    throw invalidState("keyed limiter", "keys", expected, keys);
  }
  return keys;
}

function isPair(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 2) return false;
  return typeof value[0] === "string" && value[0].length <= keyLengthMax;
}
