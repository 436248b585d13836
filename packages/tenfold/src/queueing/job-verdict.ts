import type { ErrorCode } from "../runtime/error-codes.ts";
import { errorText, isTenfoldError, type TenfoldError } from "../runtime/errors.ts";
import type { Random } from "../runtime/random.ts";
import { fullJitterMs } from "./backoff.ts";
import type { Job, Settlement } from "./queue.ts";

export interface RetryOptions {
  /** Hand-outs before a job is dead; errors that say they are retryable do not count towards it. */
  readonly attemptsMax: number;
  readonly baseMs: number;
  readonly capMs: number;
}

export const retryDefaults: RetryOptions = Object.freeze({
  attemptsMax: 8,
  baseMs: 1_000,
  capMs: 30_000,
});

/** Not retryable as such, but they say nothing about the job: it may fit in time the next time. */
const blameNobody: ReadonlySet<ErrorCode> = new Set([
  "TENFOLD_ABORTED",
  "TENFOLD_DEADLINE_EXCEEDED",
  "TENFOLD_INTERNAL",
]);

/** A `TenfoldError` that is retryable: the world is at fault, not the job. */
export function blamesWorld(error: unknown): error is TenfoldError {
  return isTenfoldError(error) && error.retryable;
}

/**
 * What becomes of a job whose handler threw. If the error blames the world, the job is tried again
 * for as long as that lasts; if it blames the job (a `TenfoldError` that is not retryable), the job
 * is dead at once. Any other is tried `attemptsMax` times, since nobody knows whom it blames.
 */
export function failedJob(
  job: Job,
  error: unknown,
  retry: RetryOptions,
  random: Random,
): Settlement {
  const { sequence, token, attempt } = job;
  const reason = errorText(error);
  if (!blamesWorld(error)) {
    const blamesJob = isTenfoldError(error) && !blameNobody.has(error.code);
    if (blamesJob || attempt >= retry.attemptsMax) {
      return { sequence, token, result: "dead", reason };
    }
  }
  const atLeastMs = blamesWorld(error) ? (error.retryAfterMs ?? 0) : 0;
  const delayMs = Math.max(atLeastMs, fullJitterMs(random, attempt, retry));
  return { sequence, token, result: "retry", delayMs, reason };
}
