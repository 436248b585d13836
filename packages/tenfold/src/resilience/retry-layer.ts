import { numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import { markRetryStop } from "./call-chain.ts";
import type { Call, CallLayer } from "./call-layer.ts";
import { fullJitter } from "./retry.ts";
import type { RetryBudget } from "./retry-budget.ts";

export interface RetryOptions {
  /** Attempts in all, the first included: 1 … 10. */
  readonly attemptsMax?: number;
  /** Upper end of the first delay, doubled at each retry: 1 … 60,000. */
  readonly firstMs?: number;
  /** … up to this: `firstMs` … 60,000. */
  readonly maxMs?: number;
  /** A callee may ask for a longer delay, up to this: 0 … 600,000. */
  readonly retryAfterMsMax?: number;
}

export const retryDefaults: Readonly<Required<RetryOptions>> = Object.freeze({
  attemptsMax: 2,
  firstMs: 25,
  maxMs: 250,
  retryAfterMsMax: 60_000,
});

/** Timers count whole milliseconds: with less than this left no attempt comes to anything. */
const attemptMsMin = 1.5;

/**
 * Makes failed attempts again: where that is safe, while budget and deadline allow, and only if no
 * layer below has done so and none above does. Delays have full jitter.
 *
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN
 */
export function retryLayer(budget: RetryBudget, options: RetryOptions = {}): CallLayer {
  const limits = checked(options);

  const delayOf = (call: Call, attempt: number): number => {
    const jittered = fullJitter(attempt - 1, call.parts.random, limits);
    return Math.max(jittered, Math.min(call.retryAfterMs, limits.retryAfterMsMax));
  };
  /** Why the attempt is the last one, or undefined; takes the retry out of the budget. */
  const lastBecause = (call: Call, attempt: number, delayMs: number): string | undefined => {
    if (call.outcome === "ignored" || !(call.mayRetry ?? call.idempotent)) return "notRetryable";
    if (!call.incoming.mayRetry) return "chainStopped";
    if (attempt >= limits.attemptsMax) return "attemptsSpent";
    const now = call.now();
    if (call.remainingMs(now) - delayMs < attemptMsMin) return "deadline";
    return budget.withdraw(now) ? undefined : "budgetEmpty";
  };

  return {
    kind: "retry",
    wrap: (inner) => async (call) => {
      // A request that is a retry itself brings nothing into the budget: it counted once, above.
      if (call.incoming.attempt === 1) budget.deposit(call.now());
      for (let attempt = 1; ; attempt++) {
        call.attempt = attempt;
        call.mayRetryBelow = attempt === 1 && call.incoming.mayRetry && !budget.isLow(call.now());
        let value: unknown;
        let error: unknown;
        let thrown = false;
        try {
          value = await inner(call);
          if (call.outcome === "success") return value;
        } catch (caught) {
          error = caught;
          thrown = true;
        }
        const delayMs = delayOf(call, attempt);
        const why = lastBecause(call, attempt, delayMs);
        if (why !== undefined) {
          if (call.fault !== undefined) {
            markRetryStop(thrown ? error : value);
            call.record("gaveUp", why, 0);
          }
          if (thrown) throw error;
          return value;
        }
        call.record("retried", call.fault ?? "failed", delayMs);
        await pause(call, delayMs);
      }
    },
  };
}

async function pause(call: Call, delayMs: number): Promise<void> {
  const { signal, parts } = call;
  try {
    await parts.clock.sleep(delayMs, { signal });
  } catch (error) {
    throw signal?.aborted ? call.aborted(signal) : error;
  }
}

function checked(options: RetryOptions): Required<RetryOptions> {
  refuseUnknownKeys("retry", options, Object.keys(retryDefaults));
  const given = { ...retryDefaults, ...options };
  const firstMs = numberOption("firstMs", given.firstMs, { min: 1, max: 60_000 });
  return {
    attemptsMax: numberOption("attemptsMax", given.attemptsMax, { min: 1, max: 10 }),
    firstMs,
    maxMs: numberOption("maxMs", given.maxMs, { min: firstMs, max: 60_000 }),
    retryAfterMsMax: numberOption("retryAfterMsMax", given.retryAfterMsMax, {
      min: 0,
      max: 600_000,
    }),
  };
}
