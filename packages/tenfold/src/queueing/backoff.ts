import type { Random } from "../runtime/random.ts";

export interface BackoffOptions {
  readonly baseMs: number;
  readonly capMs: number;
}

/**
 * Full jitter: uniform in [0, min(capMs, baseMs · 2^(attempt−1))]; attempts count from 1.
 * Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog 2015.
 */
export function fullJitterMs(random: Random, attempt: number, options: BackoffOptions): number {
  const { baseMs, capMs } = options;
  return Math.floor(random.next() * Math.min(capMs, baseMs * 2 ** Math.min(attempt - 1, 50)));
}
