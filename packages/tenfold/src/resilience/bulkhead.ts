import { numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import { steadyTime } from "../runtime/steady-time.ts";

export interface BulkheadOptions {
  /** Calls under way at once: 1 … 100,000. */
  readonly callsMax?: number;
  /** Calls in line behind them: 0 … 100,000. */
  readonly waitersMax?: number;
  /** Longest time in line: 1 … 600,000. */
  readonly waitMs?: number;
}

export const bulkheadDefaults: Readonly<Required<BulkheadOptions>> = Object.freeze({
  callsMax: 128,
  waitersMax: 128,
  waitMs: 100,
});

/** A call in line; `value` is the caller's own, such as how to wake it. */
export interface Waiter<W> {
  readonly value: W;
  /** Its longest time in line. */
  readonly waitMs: number;
  readonly state: "waiting" | "entered" | "left";
}

export interface Bulkhead<W> {
  readonly inUse: number;
  readonly waiting: number;
  /** Takes a place if one is free; `leave` gives it back. O(1), without allocation. */
  enter(): boolean;
  /**
   * A place in line, or undefined when the line is full.
   * @param atMostMs less than `waitMs` for a call with little time left.
   */
  wait(now: number, value: W, atMostMs?: number): Waiter<W> | undefined;
  /**
   * Gives a place back. When somebody is in line whose time is not up, the place passes to that
   * one, who is returned. Amortised O(1).
   */
  leave(now: number): Waiter<W> | undefined;
  /** Takes a waiter out of the line; false when it has a place already, and must leave that. */
  giveUp(waiter: Waiter<W>): boolean;
}

interface Node<W> {
  value: W;
  waitMs: number;
  until: number;
  state: "waiting" | "entered" | "left";
  before: Node<W> | undefined;
  after: Node<W> | undefined;
}

/**
 * Keeps one slow callee from taking up everything its caller has: a limit of calls under way, and
 * a short line behind it, first come first served.
 *
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN
 */
export function bulkhead<W>(options: BulkheadOptions = {}): Bulkhead<W> {
  refuseUnknownKeys("bulkhead", options, Object.keys(bulkheadDefaults));
  const given = { ...bulkheadDefaults, ...options };
  const callsMax = numberOption("callsMax", given.callsMax, { min: 1, max: 100_000 });
  const waitersMax = numberOption("waitersMax", given.waitersMax, { min: 0, max: 100_000 });
  const waitMs = numberOption("waitMs", given.waitMs, { min: 1, max: 600_000 });
  const time = steadyTime();
  let inUse = 0;
  let waiting = 0;
  let first: Node<W> | undefined;
  let last: Node<W> | undefined;

  const remove = (node: Node<W>, state: "entered" | "left"): void => {
    if (node.before === undefined) first = node.after;
    else node.before.after = node.after;
    if (node.after === undefined) last = node.before;
    else node.after.before = node.before;
    node.before = node.after = undefined;
    node.state = state;
    waiting--;
  };

  return {
    get inUse() {
      return inUse;
    },
    get waiting() {
      return waiting;
    },
    enter() {
      if (inUse >= callsMax) return false;
      inUse++;
      return true;
    },
    wait(now, value, atMostMs = waitMs) {
      if (waiting >= waitersMax) return undefined;
      const longMs = atMostMs < waitMs ? Math.max(0, atMostMs) : waitMs;
      const node: Node<W> = {
        value,
        waitMs: longMs,
        until: time.at(now) + longMs,
        state: "waiting",
        before: last,
        after: undefined,
      };
      if (last === undefined) first = node;
      else last.after = node;
      last = node;
      waiting++;
      return node;
    },
    leave(now) {
      const at = time.at(now);
      while (first !== undefined && first.until <= at) remove(first, "left");
      const next = first;
      if (next !== undefined) remove(next, "entered");
      else if (inUse > 0) inUse--;
      return next;
    },
    giveUp(waiter) {
      if (waiter.state === "waiting") remove(waiter as Node<W>, "left");
      return waiter.state === "left";
    },
  };
}
