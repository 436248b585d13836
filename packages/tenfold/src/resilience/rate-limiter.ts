import { invalidOption, numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import { steadyTime } from "./steady-time.ts";

/** Says when the next call may be made. */
export interface RateLimiter {
  /**
   * 0: it may go, and is counted. Otherwise the milliseconds after which it is worth asking again,
   * and nothing is counted. O(1).
   *
   * @param cost calls that it stands for, up to what is allowed at once. Default 1.
   * @throws TENFOLD_OPTION_INVALID for a cost that could never go.
   */
  take(now: number, cost?: number): number;
}

export interface GcraOptions {
  /** Above 0 … 1,000,000. */
  readonly perSecond: number;
  /** Calls that may come at once after a pause: 1 … 1,000,000. */
  readonly burst: number;
}

/**
 * Generic cell rate algorithm: one number, the time at which the calls so far would have come at
 * the exact rate. Smooth, exact, and tells how long to wait (ITU-T I.371).
 *
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN
 */
export function gcra(options: GcraOptions): RateLimiter {
  refuseUnknownKeys("gcra", options, ["perSecond", "burst"]);
  const range = { min: 1e-3, max: 1_000_000, whole: false };
  const intervalMs = 1_000 / numberOption("perSecond", options.perSecond, range);
  const burst = numberOption("burst", options.burst, { min: 1, max: 1_000_000 });
  const time = steadyTime();
  // How far the theoretical time was ahead of `at`, and not that time itself: of a large time
  // fractions are lost, and with them a limit of many calls a second.
  const state = { at: 0, aheadMs: 0 };
  return {
    take(now, cost = 1) {
      checkCost(cost, burst);
      const at = time.at(now);
      const nextMs = Math.max(0, state.aheadMs - (at - state.at)) + cost * intervalMs;
      const waitMs = nextMs - burst * intervalMs;
      // Sums of intervals such as 1000/3 miss by a rounding error.
      if (waitMs > 1e-6 * intervalMs) return waitMs;
      state.at = at;
      state.aheadMs = nextMs;
      return 0;
    },
  };
}

export interface SlidingWindowOptions {
  /** Calls within any window: 1 … 1,000,000,000. */
  readonly limit: number;
  /** 1 … 86,400,000 (a day). */
  readonly windowMs: number;
}

/**
 * Sliding window counter: the count of this window and, for the part of it that still overlaps, of
 * the one before. For quotas; a plain fixed window lets twice the limit through at its edge.
 *
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN
 */
export function slidingWindow(options: SlidingWindowOptions): RateLimiter {
  refuseUnknownKeys("slidingWindow", options, ["limit", "windowMs"]);
  const limit = numberOption("limit", options.limit, { min: 1, max: 1_000_000_000 });
  const windowMs = numberOption("windowMs", options.windowMs, { min: 1, max: 86_400_000 });
  const time = steadyTime();
  const state = { window: 0, calls: 0, before: 0 };

  const turn = (window: number): void => {
    if (window === state.window) return;
    state.before = window === state.window + 1 ? state.calls : 0;
    state.calls = 0;
    state.window = window;
  };
  return {
    take(now, cost = 1) {
      checkCost(cost, limit);
      const at = time.at(now);
      turn(Math.floor(at / windowMs));
      const gone = at / windowMs - state.window;
      const room = limit - cost;
      if (state.calls + state.before * (1 - gone) <= room + 1e-9) {
        state.calls += cost;
        return 0;
      }
      // Room comes as the window before leaves; else as this one does, after its own end.
      const left = room - state.calls;
      const until = left >= 0 ? 1 - left / state.before : 2 - room / state.calls;
      return Math.max(1e-3, (until - gone) * windowMs);
    },
  };
}

function checkCost(cost: number, max: number): void {
  if (!(cost > 0 && cost <= max)) {
    throw invalidOption("cost", `a number above 0, up to the ${max} that may come at once`, cost);
  }
}
