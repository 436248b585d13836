import { invalidOption, numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import { steadyTime } from "../runtime/steady-time.ts";
import { checkedAwayMs, savedNumbers } from "./saved-state.ts";

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

/** What a limiter has let through, as JSON. Times are durations, so it holds in another process. */
export type SavedLimiter = SavedGcra | SavedSlidingWindow;

export interface SavedGcra {
  readonly format: 1;
  /** How far ahead of the exact rate the calls are. */
  readonly aheadMs: number;
}

export interface SavedSlidingWindow {
  readonly format: 1;
  /** Since the window began. */
  readonly goneMs: number;
  /** In it, and in the one before. */
  readonly calls: number;
  readonly before: number;
}

/** A limiter that goes on in another process where it was in this one. */
export interface RestorableLimiter<S extends SavedLimiter = SavedLimiter> extends RateLimiter {
  save(now: number): S;
  /**
   * Of another limit as much is taken over as fits into this one.
   *
   * @param awayMs time between `save` and now, ≥ 0.
   * @throws TENFOLD_RESILIENCE_STATE_INVALID, TENFOLD_OPTION_INVALID; what was known before stays.
   */
  restore(now: number, saved: S, awayMs?: number): void;
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
export function gcra(options: GcraOptions): RestorableLimiter<SavedGcra> {
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
    save(now) {
      const aheadMs = Math.max(0, state.aheadMs - (time.at(now) - state.at));
      return { format: 1, aheadMs };
    },
    restore(now, saved, awayMs = 0) {
      const longMs = Math.min(burst * intervalMs, checkedGcra(saved).aheadMs);
      const leftMs = Math.max(0, longMs - checkedAwayMs(awayMs));
      state.at = time.at(now);
      state.aheadMs = leftMs;
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
export function slidingWindow(
  options: SlidingWindowOptions,
): RestorableLimiter<SavedSlidingWindow> {
  refuseUnknownKeys("slidingWindow", options, ["limit", "windowMs"]);
  const limit = numberOption("limit", options.limit, { min: 1, max: 1_000_000_000 });
  const windowMs = numberOption("windowMs", options.windowMs, { min: 1, max: 86_400_000 });
  const time = steadyTime();
  const state = { beganAt: 0, calls: 0, before: 0 };

  /** Moves on to the window of `at`; gives the part of it that is gone. */
  const turn = (at: number): number => {
    const windows = Math.floor((at - state.beganAt) / windowMs);
    if (windows > 0) {
      state.before = windows === 1 ? state.calls : 0;
      state.calls = 0;
      state.beganAt += windows * windowMs;
    }
    return (at - state.beganAt) / windowMs;
  };
  return {
    take(now, cost = 1) {
      checkCost(cost, limit);
      const gone = turn(time.at(now));
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
    save(now) {
      const at = time.at(now);
      turn(at);
      const { beganAt, calls, before } = state;
      return { format: 1, goneMs: at - beganAt, calls, before };
    },
    restore(now, saved, awayMs = 0) {
      const { goneMs, calls, before } = checkedWindow(saved);
      const sinceMs = Math.min(windowMs, goneMs) + checkedAwayMs(awayMs);
      const at = time.at(now);
      state.beganAt = at - sinceMs;
      state.calls = Math.min(limit, calls);
      state.before = Math.min(limit, before);
      turn(at);
    },
  };
}

const checkedGcra = (saved: unknown) => savedNumbers("limiter", saved, { aheadMs: 1e6 * 1e6 });

const checkedWindow = (saved: unknown) =>
  savedNumbers("limiter", saved, { goneMs: 86_400_000, calls: 1e9, before: 1e9 });

function checkCost(cost: number, max: number): void {
  if (!(cost > 0 && cost <= max)) {
    throw invalidOption("cost", `a number above 0, up to the ${max} that may come at once`, cost);
  }
}
