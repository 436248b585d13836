import { numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import { steadyTime } from "../runtime/steady-time.ts";
import { checkedAwayMs, invalidState, isSavedNumber, savedNumbers } from "./saved-state.ts";

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
  save(now: number): SavedRetryBudget;
  /**
   * @param awayMs time between `save` and now, ≥ 0.
   * @throws TENFOLD_RESILIENCE_STATE_INVALID, TENFOLD_OPTION_INVALID; what was known before stays.
   */
  restore(now: number, saved: SavedRetryBudget, awayMs?: number): void;
}

/** What a budget has counted, as JSON. */
export interface SavedRetryBudget {
  readonly format: 1;
  /** Of each tenth of the time to live, the oldest first. */
  readonly window: readonly (readonly [calls: number, retries: number])[];
}

/** The time to live is cut into so many parts; what is older leaves part by part. */
const parts = 10;

/**
 * At most `ratio` × calls + `reservePerSecond` × seconds retries within any `ttlMs`. After
 * Finagle's RetryBudget. O(1) in time and memory.
 *
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN
 */
export function retryBudget(options: RetryBudgetOptions = {}): RetryBudget {
  refuseUnknownKeys("retryBudget", options, Object.keys(retryBudgetDefaults));
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

  const put = (at: number, madeCalls: number, madeRetries: number): void => {
    total.calls += madeCalls - (calls[at] as number);
    total.retries += madeRetries - (retries[at] as number);
    calls[at] = madeCalls;
    retries[at] = madeRetries;
  };
  /** Moves on to the part of `now`, emptying every part in between. */
  const turn = (now: number): number => {
    const part = Math.floor(time.at(now) / partMs);
    // Counted by steps, not by parts: of a huge number the next one may be itself.
    const skipped = Math.min(parts, part - last);
    for (let step = 0; step < skipped; step++) put((part - step + parts) % parts, 0, 0);
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
    save(now) {
      const at = turn(now);
      const window = Array.from({ length: parts }, (_, age): SavedPart => {
        const slot = (at + 1 + age) % parts;
        return [calls[slot] as number, retries[slot] as number];
      });
      return { format: 1, window };
    },
    restore(now, saved, awayMs = 0) {
      const window = checkedWindow(saved);
      const gone = Math.min(parts, Math.floor(checkedAwayMs(awayMs) / partMs));
      const at = turn(now);
      for (let age = 0; age < parts; age++) {
        const [madeCalls, madeRetries] = window[window.length - 1 - age + gone] ?? [0, 0];
        put((at - age + parts) % parts, madeCalls, madeRetries);
      }
    },
  };
}

type SavedPart = SavedRetryBudget["window"][number];

/** @throws TENFOLD_RESILIENCE_STATE_INVALID */
function checkedWindow(value: unknown): readonly SavedPart[] {
  savedNumbers("retry budget", value, {});
  const { window } = value as { readonly window?: unknown };
  if (Array.isArray(window) && window.length <= parts && window.every(isPart)) return window;
  throw invalidState("retry budget", "window", `at most ${parts} pairs of counts`, window);
}

function isPart(value: unknown): boolean {
  const isCount = (count: unknown): boolean => isSavedNumber(count, 1e9) && Number.isInteger(count);
  return Array.isArray(value) && value.length === 2 && value.every(isCount);
}
