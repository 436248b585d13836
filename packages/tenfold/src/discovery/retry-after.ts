import { deadlineMsMax } from "../resilience/deadline.ts";
import type { Clock } from "../runtime/clock.ts";

/** Seconds, and the three forms of an HTTP date (RFC 9110 §5.6.7). */
const seconds = /^\d{1,15}$/;
const usualDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const olderDate = /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/;
const dateOfC = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;

/**
 * The milliseconds that a `Retry-After` asks for, from 0 to the longest deadline, since no call
 * waits longer; 0 for what is none, or is over.
 *
 * @param clock only asked for a date
 */
export function retryAfterMs(
  value: string | readonly string[] | undefined,
  clock: Pick<Clock, "wallNow">,
): number {
  if (typeof value !== "string") return 0;
  const text = value.trim();
  if (seconds.test(text)) return bounded(Number(text) * 1_000);
  const at = dateOf(text);
  return Number.isNaN(at) ? 0 : bounded(at - clock.wallNow());
}

function dateOf(text: string): number {
  if (usualDate.test(text) || olderDate.test(text)) return Date.parse(text);
  // It names no zone, and by definition is in this one.
  return dateOfC.test(text) ? Date.parse(`${text} GMT`) : Number.NaN;
}

function bounded(ms: number): number {
  return Math.max(0, Math.min(deadlineMsMax, ms));
}
