import { TenfoldError } from "../runtime/errors.ts";
import { invalidOption } from "../runtime/options.ts";
import { crossedMsMax, nowMax } from "../runtime/steady-time.ts";

/**
 * The header in which the time that is left travels, in milliseconds. Remaining time and not a
 * point in time, since clocks of two machines differ.
 */
export const deadlineHeader = "tenfold-deadline-ms";

/** Longest deadline that is believed: ten minutes. */
export const deadlineMsMax = 600_000;

/** The header's value: whole milliseconds, rounded down, never below 0. */
export function formatDeadline(remainingMs: number): string {
  return String(Math.max(0, Math.min(deadlineMsMax, Math.floor(remainingMs))));
}

/**
 * The milliseconds left by the header, or undefined when there is none.
 *
 * @throws TENFOLD_RESILIENCE_DEADLINE_INVALID when it is no decimal from 0 to `deadlineMsMax`.
 */
export function parseDeadline(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const remainingMs = /^\d{1,6}$/.test(value) ? Number(value) : Number.NaN;
  if (remainingMs <= deadlineMsMax) return remainingMs;
  throw new TenfoldError(
    "TENFOLD_RESILIENCE_DEADLINE_INVALID",
    `${deadlineHeader} must be whole milliseconds from 0 to ${deadlineMsMax}, ` +
      `got ${JSON.stringify(value.slice(0, 40))}.`,
  );
}

/** The end of a call on the monotonic clock. */
export interface Deadline {
  readonly at: number;
  /**
   * From 0 to what it was set to, and never more than what it gave before: a clock that is set
   * back gives no time back.
   */
  remainingMs(now: number): number;
}

/**
 * The deadline of a call that begins now. Below 0 counts as 0, which is over already; more than
 * `deadlineMsMax` as that.
 *
 * @throws TENFOLD_OPTION_INVALID when a time is no number, or `now` none of any date.
 */
export function deadlineAfter(now: number, timeoutMs: number): Deadline {
  if (!(Math.abs(now) <= nowMax)) throw invalidOption("now", "a time in milliseconds", now);
  if (Number.isNaN(timeoutMs)) throw invalidOption("timeoutMs", "milliseconds", timeoutMs);
  const longMs = Math.max(0, Math.min(deadlineMsMax, timeoutMs));
  return new CallDeadline(now, longMs);
}

/** Of its own and without a `SteadyTime`, since every call has one. */
class CallDeadline implements Deadline {
  readonly at: number;
  #leftMs: number;
  #seen: number;
  /** As `at`, moved along with a clock that was set back. */
  #end: number;

  constructor(now: number, longMs: number) {
    this.at = now + longMs;
    this.#leftMs = longMs;
    this.#seen = now;
    this.#end = this.at;
  }

  remainingMs(now: number): number {
    if (now > this.#seen) {
      if (now <= nowMax) this.#seen = now;
    } else if (this.#seen - now > crossedMsMax && now >= -nowMax) {
      this.#end -= this.#seen - now;
      this.#seen = now;
    }
    this.#leftMs = Math.max(0, Math.min(this.#leftMs, this.#end - this.#seen));
    return this.#leftMs;
  }
}
