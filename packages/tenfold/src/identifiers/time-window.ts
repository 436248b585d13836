import { numberOption } from "../runtime/options.ts";

export interface TimeWindowOptions {
  /** How much time is reserved ahead, in milliseconds: 100 … 3,600,000. */
  readonly windowMs: number;
  /** The window that is reserved already. */
  readonly grantedUntilMs: number;
  /** Ids begin here: the end of the window before. */
  readonly fromMs: number;
  readonly wallMs: number;
  readonly nowMs: number;
}

/**
 * What a holder of a worker number may do with the times it has reserved. All moments are
 * wall-clock milliseconds but `nowMs`, which is monotonic; `lastMs` is the time of the last id.
 */
export interface TimeWindow {
  /** Durably reserved: ids carry times before this. */
  readonly untilMs: number;
  /** The wall time that our own clock shows: the last one that was believed, and the time since. */
  ownMs(nowMs: number): number;
  /**
   * The time to make an id at, below `untilMs`; undefined when the window is over. It is the wall
   * clock's, but when that leaps over the end of the window time goes on at its usual pace until
   * more is reserved.
   */
  timeMs(wallMs: number, nowMs: number, lastMs: number | undefined): number | undefined;
  /** Ids must be earlier than this: `untilMs`, and what may be borrowed ahead of the clock. */
  beforeMs(wallMs: number, nowMs: number): number;
  /** Until when to reserve, once half of the window is used up; undefined before that. */
  wanted(wallMs: number, lastMs: number | undefined): number | undefined;
  /** The reservation is durable. */
  granted(untilMs: number): void;
}

/**
 * The rule behind unique ids without trust in clocks: times are reserved before they are used, by
 * compare-and-set on the number's record, and whoever takes the number over begins where the last
 * reservation ended. Windows of one number never overlap, so neither do its ids, whatever clocks,
 * pauses, restarts and leases do.
 *
 * A clock that is set back does not stop it: ids go on from the last one, and time that is borrowed
 * is bounded by `windowMs` ahead of a clock of its own, which goes on from the highest wall time at
 * monotonic pace until the wall clock has caught up.
 *
 * @throws TENFOLD_OPTION_INVALID
 */
export function timeWindow(options: TimeWindowOptions): TimeWindow {
  const windowMs = numberOption("windowMs", options.windowMs, { min: 100, max: 3_600_000 });
  const { fromMs } = options;
  let untilMs = options.grantedUntilMs;
  // Our own clock: what it showed, and when by the monotonic one.
  let shownMs = Math.max(options.wallMs, fromMs);
  let shownAt = options.nowMs;
  const ownMs = (nowMs: number): number => Math.floor(shownMs + (nowMs - shownAt));
  return {
    get untilMs() {
      return untilMs;
    },
    ownMs,
    timeMs(wallMs, nowMs, lastMs = fromMs) {
      if (wallMs < untilMs) {
        if (wallMs >= lastMs) {
          shownMs = wallMs;
          shownAt = nowMs;
        }
        return wallMs;
      }
      const timeMs = ownMs(nowMs);
      return timeMs < untilMs ? timeMs : undefined;
    },
    beforeMs: (wallMs, nowMs) => Math.min(untilMs, Math.max(wallMs, ownMs(nowMs)) + windowMs),
    wanted(wallMs, lastMs = fromMs) {
      const usedMs = Math.max(wallMs, lastMs);
      return untilMs - usedMs < windowMs / 2 ? usedMs + windowMs : undefined;
    },
    granted(until) {
      untilMs = Math.max(untilMs, until);
    },
  };
}
