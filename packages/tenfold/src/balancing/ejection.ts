import type { Random } from "../runtime/random.ts";

export interface EjectionOptions {
  /** So many successes in a row bring a host back. */
  readonly successesMin: number;
  /** The first probe of a failing host comes after about this long, each next twice as late. */
  readonly probeMs: number;
  /** … up to this. A healed host is found within one and a half times of it. */
  readonly probeMsMax: number;
  readonly random: Pick<Random, "next">;
}

/** As JSON; times are relative, because another process has another clock. */
export interface SavedEjection {
  readonly failures: number;
  readonly ejected: boolean;
  readonly successesOwed: number;
  readonly probes: number;
  readonly probeInMs: number;
}

/**
 * Passive health of one host: failures in a row, whether it is out, and when it is worth asking
 * again. The delay is jittered by half in both directions, so that clients which saw the same
 * fault do not return as one herd.
 */
export interface Ejection {
  /** In a row; 0 is a host in good standing. */
  readonly failures: number;
  readonly ejected: boolean;
  /**
   * Changes with every way out and in. What a call of an older epoch shows is late news: it must
   * neither bring the host back nor put it out again.
   */
  readonly epoch: number;
  /** When a single call may go there to find out whether it is well again. */
  readonly probeAt: number;
  /** A call goes there to find out: no other one until it is answered or the delay is over. */
  probed(now: number): void;
  /** True when this brought the host back in. */
  succeeded(now: number): boolean;
  /** @param latencyMs how long it took to find out: what takes long is asked less often. */
  failed(now: number, latencyMs: number): void;
  eject(): void;
  save(now: number): SavedEjection;
  restore(now: number, saved: SavedEjection): void;
}

/**
 * Probing a host that hangs costs a caller its time-out, and many callers that probe an overloaded
 * host keep it so: after a failure that took long, the pause is so many times as long …
 */
const slowProbeRatio = 5;
/** … up to this. */
const slowProbeMsMax = 30_000;

export function ejection(options: EjectionOptions): Ejection {
  return new HostEjection(options);
}

/** How many of `hosts` may be out at once: fewer than half, but one of two. */
export function ejectedMax(hosts: number): number {
  return hosts < 2 ? 0 : Math.max(1, Math.floor((hosts - 1) / 2));
}

class HostEjection implements Ejection {
  failures = 0;
  ejected = false;
  epoch = 0;
  probeAt = 0;
  readonly #options: EjectionOptions;
  #successesOwed = 0;
  #probes = 0;

  constructor(options: EjectionOptions) {
    this.#options = options;
  }

  probed(now: number): void {
    this.#probes++;
    this.#wait(now);
  }

  succeeded(now: number): boolean {
    if (this.#successesOwed > 1) {
      this.#successesOwed--;
      this.probeAt = now;
      return false;
    }
    const wasOut = this.ejected;
    this.failures = 0;
    this.ejected = false;
    this.#successesOwed = 0;
    this.#probes = 0;
    if (wasOut) this.epoch++;
    return wasOut;
  }

  failed(now: number, latencyMs: number): void {
    this.failures++;
    if (this.ejected) this.#successesOwed = this.#options.successesMin;
    this.#wait(now, latencyMs);
  }

  eject(): void {
    this.ejected = true;
    this.epoch++;
    this.#successesOwed = this.#options.successesMin;
  }

  save(now: number): SavedEjection {
    return {
      failures: this.failures,
      ejected: this.ejected,
      successesOwed: this.#successesOwed,
      probes: this.#probes,
      probeInMs: Math.max(0, this.probeAt - now),
    };
  }

  restore(now: number, saved: SavedEjection): void {
    this.failures = saved.failures;
    this.ejected = saved.ejected;
    this.#successesOwed = saved.successesOwed;
    this.#probes = saved.probes;
    const longest = 1.5 * Math.max(slowProbeMsMax, this.#options.probeMsMax);
    this.probeAt = now + Math.min(saved.probeInMs, longest);
  }

  #wait(now: number, latencyMs = 0): void {
    const { probeMs, probeMsMax, random } = this.#options;
    const grown = Math.min(probeMsMax, probeMs * 2 ** Math.min(this.#probes, 30));
    const delay = Math.max(grown, Math.min(slowProbeMsMax, latencyMs * slowProbeRatio));
    this.probeAt = now + delay * (0.5 + random.next());
  }
}
