import type { Clock } from "../runtime/clock.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";

/** What a clock may say that is set, broken or stopped: from how much time has really passed. */
export type Reading = (realMs: number) => number;

/** Timers that go as they should, and beside them a clock that says what it is told to say. */
export function setClock(): {
  readonly clock: Clock;
  /** Moves the timers on. */
  readonly advance: (ms: number) => Promise<void>;
  readonly realMs: () => number;
  readonly pending: () => number;
  readonly set: (reading: Reading) => void;
} {
  const real = virtualClock();
  let reading: Reading = (realMs) => realMs;
  return {
    clock: { ...real, now: () => reading(real.now()) },
    advance: (ms) => real.advance(ms),
    realMs: () => real.now(),
    pending: () => real.pending,
    set(next) {
      reading = next;
    },
  };
}

/** Readings that no clock should give. */
export const strangeNows: readonly number[] = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  1e20,
  -1e20,
  1e14,
  -1e14,
  Number.MAX_VALUE,
  0,
];
