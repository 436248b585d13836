import { numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import { markRetryStop } from "./call-chain.ts";
import { type Call, type CallHandler, type CallLayer, orReject } from "./call-layer.ts";
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
 * layer below has done so and none above does. Delays have full jitter; one that the callee asks
 * for is up to a quarter longer.
 *
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN
 */
export function retryLayer(budget: RetryBudget, options: RetryOptions = {}): CallLayer {
  const limits = checked(options);

  const delayOf = (call: Call, attempt: number): number => {
    const { random } = call.parts;
    const jittered = fullJitter(attempt - 1, random, limits);
    if (call.retryAfterMs === 0) return jittered;
    // All who were told the same would come back at the same moment.
    const askedMs = Math.min(call.retryAfterMs, limits.retryAfterMsMax);
    return Math.max(jittered, askedMs * (1 + random.next() / 4));
  };
  /** Why the attempt is the last one, or undefined; takes the retry out of the budget. */
  const lastBecause = (call: Call, attempt: number, delayMs: number): string | undefined => {
    const mayRetry = call.mayRetry ?? (call.outcome !== "ignored" && call.idempotent);
    if (!mayRetry) return "notRetryable";
    if (!call.incoming.mayRetry) return "chainStopped";
    if (attempt >= limits.attemptsMax) return "attemptsSpent";
    if (call.remainingMs() - delayMs < attemptMsMin) return "deadline";
    return budget.withdraw(call.at) ? undefined : "budgetEmpty";
  };

  const giveUp = (call: Call, why: string, failure: unknown): void => {
    if (call.fault === undefined) return;
    // What nobody could be sent has cost nobody anything: those above have time that this had not.
    if (call.fault !== "unreachable") markRetryStop(failure);
    // What a layer turned away is recorded already.
    if (failure !== call.refusal) call.record("gaveUp", why, 0);
  };

  const wrap = (inner: CallHandler): CallHandler => {
    const tryOnce = (call: Call, attempt: number): Promise<unknown> | undefined => {
      call.attempt = attempt;
      call.mayRepeat = call.idempotent && limits.attemptsMax > 1;
      const hasMore = call.mayRepeat && call.incoming.mayRetry && attempt < limits.attemptsMax;
      call.mayFollow = hasMore && budget.balance(call.at) >= 1;
      call.mayRetryBelow = attempt === 1 && call.incoming.mayRetry && !budget.isLow(call.at);
      /** What to do about an attempt that did not go well. */
      const again = (failure: unknown): Promise<unknown> | undefined => {
        const delayMs = delayOf(call, attempt);
        const why = lastBecause(call, attempt, delayMs);
        if (why !== undefined) {
          giveUp(call, why, failure);
          return undefined;
        }
        call.record("retried", call.fault ?? "failed", delayMs);
        return pause(call, delayMs).then(() =>
          orReject((again) => tryOnce(again, attempt + 1), call),
        );
      };
      const failed = (error: unknown): Promise<unknown> => {
        const next = again(error);
        if (next === undefined) throw error;
        return next;
      };
      const running = inner(call);
      if (running === undefined) giveUp(call, "notRetryable", call.refusal);
      return running?.then(
        (value) => (call.outcome === "success" ? value : (again(value) ?? value)),
        failed,
      );
    };
    return (call) => {
      // A request that is a retry itself brings nothing into the budget: it counted once, above.
      if (call.incoming.attempt === 1) budget.deposit(call.at);
      return tryOnce(call, 1);
    };
  };
  return { kind: "retry", wrap };
}

async function pause(call: Call, delayMs: number): Promise<void> {
  const { signal, parts } = call;
  try {
    await parts.clock.sleep(delayMs, { signal });
    call.waited();
  } catch (error) {
    if (signal?.aborted) call.aborted(signal);
    throw error;
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
