import type { Random } from "../runtime/random.ts";

export interface EjectionOptions {
  /** So many failures in a row put a host out. */
  readonly failuresMax: number;
  /** The first probe of a failing host comes after about this long, twice that after the next. */
  readonly probeMs: number;
  /** … up to this. A healed host is back within one and a half times of it. */
  readonly probeMsMax: number;
  readonly random: Pick<Random, "next">;
}

/** What is known of one host's failures. */
export interface Ejection {
  /** In a row; 0 is a host in good standing. */
  readonly failures: number;
  readonly ejected: boolean;
  /** When a single call may go there to find out whether it is well again. */
  readonly probeAt: number;
  succeeded(): void;
  /** @param mayEject false while as many hosts are out as may be. */
  failed(now: number, mayEject: boolean): void;
}

/**
 * Passive health of one host: failures in a row, and when it is worth asking again. The delay is
 * jittered by half in both directions, so that clients which saw the same fault do not return as
 * one herd.
 */
export function ejection(options: EjectionOptions): Ejection {
  const { failuresMax, probeMs, probeMsMax, random } = options;
  const state = { failures: 0, ejected: false, probeAt: 0 };
  return {
    get failures() {
      return state.failures;
    },
    get ejected() {
      return state.ejected;
    },
    get probeAt() {
      return state.probeAt;
    },
    succeeded() {
      state.failures = 0;
      state.ejected = false;
    },
    failed(now, mayEject) {
      state.failures++;
      state.ejected ||= mayEject && state.failures >= failuresMax;
      const delay = Math.min(probeMsMax, probeMs * 2 ** Math.min(state.failures - 1, 30));
      state.probeAt = now + delay * (0.5 + random.next());
    },
  };
}

/** How many of `hosts` may be out at once: fewer than half, so none of one or two. */
export function ejectedMax(hosts: number): number {
  return Math.max(0, Math.floor((hosts - 1) / 2));
}
