import type { Clock } from "../runtime/clock.ts";

/** Whole milliseconds of wall time, read an instant after the monotonic clock. */
const readingErrorMs = 2;

/**
 * Milliseconds that pass by whichever clock goes further: the monotonic one stands still while the
 * machine is suspended, the wall clock may be set back. What the wall clock runs ahead by between
 * two readings is added for good; what it falls behind by is forgotten. Read it often: a step back
 * hides a suspension between the same two readings.
 */
export interface SteadyTime {
  /** Never smaller than `clock.now()` passed, and never goes back. */
  now(): number;
}

export function steadyTime(clock: Pick<Clock, "now" | "wallNow">): SteadyTime {
  let ahead = 0;
  let gap = clock.wallNow() - clock.now();
  return {
    now() {
      const now = clock.now();
      const moved = clock.wallNow() - now - gap;
      if (Math.abs(moved) > readingErrorMs) {
        if (moved > 0) ahead += moved;
        gap += moved;
      }
      return now + ahead;
    },
  };
}
