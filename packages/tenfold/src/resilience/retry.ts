import type { Random } from "../runtime/random.ts";

/**
 * How far a failed attempt came.
 * neverSent: no byte reached a server (refused, unreachable, no connection in time).
 * closedIdle: a kept connection was closed by the server before any byte of an answer; most often
 * the server had closed it as idle while the request was under way.
 * noAnswer: sent, and no byte of an answer came. refused: a 502, 503 or 504.
 * cut: part of an answer came.
 */
export type AttemptFailure = "neverSent" | "closedIdle" | "noAnswer" | "refused" | "cut";

/**
 * free: again, without touching the budget. budget: again, if the budget allows it. never: tell
 * the caller.
 */
export type RetryVerdict = "free" | "budget" | "never";

/**
 * May a failed attempt be made again? What was never sent always; what can be repeated without harm
 * until the first byte of the answer; anything else might happen twice (RFC 9110 §9.2.2).
 *
 * @param idempotent repeating the call changes nothing more than making it once.
 */
export function retryVerdict(failure: AttemptFailure, idempotent: boolean): RetryVerdict {
  if (failure === "neverSent") return "free";
  if (!idempotent || failure === "cut") return "never";
  return failure === "closedIdle" ? "free" : "budget";
}

const idempotentMethods: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "OPTIONS",
  "TRACE",
  "PUT",
  "DELETE",
]);

/** Idempotent by definition of the method (RFC 9110 §9.2.2); `method` in capitals. */
export function isIdempotentMethod(method: string): boolean {
  return idempotentMethods.has(method);
}

export interface BackOff {
  /** Upper end of the first delay. */
  readonly firstMs: number;
  readonly maxMs: number;
}

export const backOffDefaults: BackOff = Object.freeze({ firstMs: 25, maxMs: 250 });

/**
 * Exponential back-off with full jitter: uniform in [0, min(maxMs, firstMs · 2^retry)). Full
 * jitter spreads a herd better than a jittered fixed delay (AWS Architecture Blog, 2015).
 *
 * @param retry 0 for the first.
 */
export function fullJitter(
  retry: number,
  random: { next: Random["next"] },
  backOff: BackOff = backOffDefaults,
): number {
  return random.next() * Math.min(backOff.maxMs, backOff.firstMs * 2 ** Math.min(retry, 30));
}
