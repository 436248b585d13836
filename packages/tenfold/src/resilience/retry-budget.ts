import { numberOption } from "../runtime/options.ts";
import { steadyTime } from "./steady-time.ts";

export interface RetryBudgetOptions {
  /** Retries allowed for each call: 0 … 1. */
  readonly ratio?: number;
  /** Retries a second that are allowed without any call: 0 … 1,000. */
  readonly reservePerSecond?: number;
  /** How long a call pays for a retry: 1,000 … 600,000. */
  readonly ttlMs?: number;
}

export const retryBudgetDefaults: Readonly<Required<RetryBudgetOptions>> = Object.freeze({
  ratio: 0.2,
  /** Of each process: with many small processes this sum is what a dead service must bear. */
  reservePerSecond: 3,
  ttlMs: 10_000,
});

/** Keeps retries to a share of the calls, lest they become the load that keeps a service down. */
export interface RetryBudget {
  /** A call (not a retry) begins. */
  deposit(now: number): void;
  /** May one retry be made? True takes it out of the budget. */
  withdraw(now: number): boolean;
  /** Whole retries that are left. */
  balance(now: number): number;
  /** Less than half is left: the layers below should leave what there is to this one. */
  isLow(now: number): boolean;
}

/** The time to live is cut into so many parts; what is older leaves part by part. */
const parts = 10;

/**
 * At most `ratio` × calls + `reservePerSecond` × seconds retries within any `ttlMs`. After
 * Finagle's RetryBudget. O(1) in time and memory.
 *
 * @throws TENFOLD_OPTION_INVALID
 */
export function retryBudget(options: RetryBudgetOptions = {}): RetryBudget {
  const given = { ...retryBudgetDefaults, ...options };
  const ratio = numberOption("ratio", given.ratio, { min: 0, max: 1, whole: false });
  const perSecond = numberOption("reservePerSecond", given.reservePerSecond, {
    min: 0,
    max: 1_000,
    whole: false,
  });
  const ttlMs = numberOption("ttlMs", given.ttlMs, { min: 1_000, max: 600_000 });
  const partMs = ttlMs / parts;
  const reserve = (perSecond * ttlMs) / 1_000;
  const time = steadyTime();
  const calls = new Uint32Array(parts);
  const retries = new Uint32Array(parts);
  const total = { calls: 0, retries: 0 };
  let last = -1;

  /** Moves on to the part of `now`, emptying every part in between. */
  const turn = (now: number): number => {
    const part = Math.floor(time.at(now) / partMs);
    // Counted by steps, not by parts: of a huge number the next one may be itself.
    const skipped = Math.min(parts, part - last);
    for (let step = 0; step < skipped; step++) {
      const at = (part - step + parts) % parts;
      total.calls -= calls[at] as number;
      total.retries -= retries[at] as number;
      calls[at] = retries[at] = 0;
    }
    last = part;
    return part % parts;
  };
  const full = (): number => reserve + ratio * total.calls;
  const left = (): number => full() - total.retries;

  return {
    deposit(now) {
      const at = turn(now);
      calls[at] = (calls[at] as number) + 1;
      total.calls++;
    },
    withdraw(now) {
      const at = turn(now);
      // Sums of fractions such as 0.2 fall short of a whole by a rounding error.
      if (left() + 1e-9 < 1) return false;
      retries[at] = (retries[at] as number) + 1;
      total.retries++;
      return true;
    },
    balance(now) {
      turn(now);
      return Math.max(0, Math.floor(left() + 1e-9));
    },
    isLow(now) {
      turn(now);
      return left() * 2 + 1e-9 < full();
    },
  };
}
