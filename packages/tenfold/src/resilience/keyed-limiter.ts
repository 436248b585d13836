import { numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import type { RateLimiter } from "./rate-limiter.ts";

export interface KeyedLimiterOptions {
  /**
   * So many keys are kept, the longest unused one is forgotten first and starts anew: 1 …
   * 1,000,000. With more keys in use than this the limit is no limit.
   */
  readonly keysMax: number;
  readonly limiter: () => RateLimiter;
}

/** A limit for each user, address or API. */
export interface KeyedLimiter {
  /** As `RateLimiter.take`, for one key. O(1). */
  take(now: number, key: string, cost?: number): number;
  /** Keys that are kept. */
  readonly size: number;
}

/** @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN */
export function keyedLimiter(options: KeyedLimiterOptions): KeyedLimiter {
  refuseUnknownKeys("keyedLimiter", options, ["keysMax", "limiter"]);
  const keysMax = numberOption("keysMax", options.keysMax, { min: 1, max: 1_000_000 });
  const limiters = new Map<string, RateLimiter>();
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
  };
}
