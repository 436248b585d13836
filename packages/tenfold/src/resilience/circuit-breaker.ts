import { TenfoldError } from "../runtime/errors.ts";
import { type Random, systemRandom } from "../runtime/random.ts";
import { type SteadyTime, steadyTime } from "../runtime/steady-time.ts";
import { type CallWindow, callWindow, type WindowPart, windowParts } from "./call-window.ts";
import {
  type CircuitBreakerOptions,
  type CircuitLimits,
  circuitLimits,
} from "./circuit-breaker-options.ts";
import { type CircuitState, checkedCircuit, type SavedCircuit } from "./circuit-breaker-state.ts";
import { type ProbeLeases, probeLeases } from "./probe-leases.ts";
import { checkedAwayMs } from "./saved-state.ts";

/**
 * What a call showed of the callee. overload: it refused for want of capacity; that counts against
 * it, but as no reason to stay away longer. ignored: nothing, as when the caller went away.
 */
export type CallOutcome = "success" | "failure" | "overload" | "ignored";

export interface CircuitBreaker {
  /** The permit of a call that may be made now, or 0. O(1), without allocation. */
  admit(now: number): number;
  /**
   * Tells how the call of a permit ended, once. What began before the state last changed is
   * ignored: a late success of before the trip closes nothing. O(1).
   */
  settle(permit: number, now: number, outcome: CallOutcome, tookMs: number): void;
  state(now: number): CircuitState;
  /** When it is worth asking again; 0 when a call would be admitted. */
  retryAfterMs(now: number): number;
  /**
   * TENFOLD_RESILIENCE_CIRCUIT_OPEN, for a call that was not admitted. Made once a trip and the
   * same for all callers; only its `retryAfterMs` moves on.
   */
  refusal(now: number): TenfoldError;
  /** Lets nothing through until `release`. */
  forceOpen(now: number): void;
  /** Lets everything through and judges nothing until `release`. */
  forceClose(now: number): void;
  /** Judges again; after `forceOpen` with a ramp. */
  release(now: number): void;
  save(now: number): SavedCircuit;
  /**
   * @param awayMs time between `save` and now, ≥ 0.
   * @throws TENFOLD_RESILIENCE_STATE_INVALID; what was known before stays.
   */
  restore(now: number, saved: SavedCircuit, awayMs?: number): void;
}

/** The share of calls that a ramp begins with. */
const rampFrom = 0.1;

/**
 * Stops calling what does not answer. Opens at a rate of failed or slow calls, or at failures in a
 * row; while half-open leases a few probes and refuses the rest at once; then admits a growing
 * share. Owns no timer: states change when somebody asks. After resilience4j and Finagle.
 *
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN
 */
export function circuitBreaker(options: CircuitBreakerOptions = {}): CircuitBreaker {
  return new Circuit(circuitLimits(options), options.random ?? systemRandom);
}

class Circuit implements CircuitBreaker {
  readonly #limits: CircuitLimits;
  readonly #random: Pick<Random, "next">;
  readonly #time: SteadyTime = steadyTime();
  readonly #window: CallWindow;
  readonly #probes: ProbeLeases;
  #state: CircuitState = "closed";
  /** Permits count up; those below `#epochFrom` belong to an epoch that is over. */
  #permit = 0;
  #epochFrom = 1;
  /** End of the open time, or of the ramp. */
  #until = 0;
  #trips = 0;
  #consecutive = 0;
  /** Of the ramp: whole ones are calls that may go. */
  #credit = 0;
  #error: TenfoldError | undefined;

  constructor(limits: CircuitLimits, random: Pick<Random, "next">) {
    this.#limits = limits;
    this.#random = random;
    this.#window = callWindow(limits.windowMs);
    this.#probes = probeLeases(limits.probes, limits.probeLeaseMs);
  }

  admit(now: number): number {
    const at = this.#turn(now);
    switch (this.#state) {
      case "closed":
      case "forcedClosed":
        return ++this.#permit;
      case "halfOpen":
        return this.#probes.lease(this.#permit + 1, at) ? ++this.#permit : 0;
      case "ramping":
        this.#credit += this.#rampShare(at);
        if (this.#credit < 1) return 0;
        this.#credit--;
        return ++this.#permit;
      default:
        return 0;
    }
  }

  settle(permit: number, now: number, outcome: CallOutcome, tookMs: number): void {
    const at = this.#turn(now);
    if (!(permit >= this.#epochFrom && permit <= this.#permit)) return;
    const slow = tookMs >= this.#limits.slowMs;
    if (this.#state === "halfOpen") this.#settleProbe(permit, at, outcome, slow);
    else if (outcome !== "ignored" && this.#state !== "forcedClosed") {
      this.#count(at, outcome, slow);
    }
  }

  state(now: number): CircuitState {
    this.#turn(now);
    return this.#state;
  }

  retryAfterMs(now: number): number {
    const at = this.#turn(now);
    if (this.#state === "forcedOpen") return this.#limits.openMsMax;
    if (this.#state === "halfOpen") return this.#probes.freeInMs(at);
    return Math.max(0, this.#until - at);
  }

  refusal(now: number): TenfoldError {
    this.#error ??= openError(this.#limits.name, "that is the state it was restored to");
    (this.#error as { retryAfterMs: number }).retryAfterMs = this.retryAfterMs(now);
    return this.#error;
  }

  forceOpen(now: number): void {
    this.#turn(now);
    this.#enter("forcedOpen");
    this.#error = openError(this.#limits.name, "its circuit was opened by hand");
  }

  forceClose(now: number): void {
    this.#turn(now);
    this.#enter("forcedClosed");
  }

  release(now: number): void {
    const at = this.#turn(now);
    if (this.#state === "forcedOpen") this.#ramp(at);
    if (this.#state !== "forcedClosed") return;
    this.#window.clear();
    this.#enter("closed");
    this.#trips = 0;
  }

  save(now: number): SavedCircuit {
    const at = this.#turn(now);
    this.#window.turn(at);
    return {
      format: 1,
      state: this.#state,
      remainingMs: Math.max(0, this.#until - at),
      trips: this.#trips,
      consecutive: this.#consecutive,
      window: this.#window.parts(),
    };
  }

  restore(now: number, saved: SavedCircuit, awayMs = 0): void {
    const { state, remainingMs, trips, consecutive, window } = checkedCircuit(saved);
    checkedAwayMs(awayMs);
    const { windowMs, openMsMax, rampMs } = this.#limits;
    const at = this.#turn(now);
    this.#window.load(at, aged(window, (awayMs * windowParts) / windowMs));
    const leftMs = Math.min(remainingMs, state === "ramping" ? rampMs : openMsMax) - awayMs;
    // Who held the probes is gone with the process: half-open begins anew.
    this.#enter(state === "halfOpen" ? "open" : state, at + Math.max(0, leftMs));
    this.#trips = trips;
    this.#consecutive = consecutive;
    this.#credit = 1;
    this.#error = undefined;
  }

  /** Time as this circuit counts it, after the changes that time alone brings. */
  #turn(now: number): number {
    const at = this.#time.at(now);
    if (at < this.#until) return at;
    if (this.#state === "open") {
      this.#enter("halfOpen");
      this.#probes.begin();
    } else if (this.#state === "ramping") {
      // No new epoch: calls that the ramp admitted still count.
      this.#state = "closed";
      this.#trips = 0;
    }
    return at;
  }

  #enter(state: CircuitState, until = 0): void {
    this.#state = state;
    this.#until = until;
    this.#epochFrom = this.#permit + 1;
    this.#consecutive = 0;
  }

  #trip(at: number, why: string): void {
    this.#trips++;
    this.#open(at, why);
  }

  #open(at: number, why: string): void {
    const { openMs, openMsMax, jitter, name } = this.#limits;
    const doublings = Math.min(Math.max(0, this.#trips - 1), 30);
    const longMs = Math.min(openMsMax, openMs * 2 ** doublings);
    this.#enter("open", at + longMs * (1 - jitter * this.#random.next()));
    this.#error = openError(name, why);
  }

  #ramp(at: number): void {
    this.#window.turn(at);
    this.#window.clear();
    this.#enter("ramping", at + this.#limits.rampMs);
    // The first call goes at once: of few calls a share would be none.
    this.#credit = 1;
  }

  #rampShare(at: number): number {
    return 1 - ((1 - rampFrom) * (this.#until - at)) / this.#limits.rampMs;
  }

  #settleProbe(permit: number, at: number, outcome: CallOutcome, slow: boolean): void {
    if (!this.#probes.settle(permit, at) || outcome === "ignored") return;
    if (outcome === "overload") this.#open(at, "a probe was refused for want of capacity");
    else if (outcome === "failure") this.#trip(at, "a probe failed");
    else if (slow) this.#trip(at, "a probe was slow");
    else if (this.#probes.passed()) this.#ramp(at);
  }

  #count(at: number, outcome: CallOutcome, slow: boolean): void {
    const failed = outcome !== "success";
    this.#window.add(at, failed, slow);
    if (outcome === "failure") this.#consecutive++;
    else if (outcome === "success") this.#consecutive = 0;
    if (!failed && !slow) return;
    const why = this.#fault();
    if (why !== undefined) this.#trip(at, why);
  }

  /** Why it must open now, or undefined. */
  #fault(): string | undefined {
    const { consecutiveMax, failureRate, slowRate, callsMin, probes } = this.#limits;
    if (this.#consecutive >= consecutiveMax) return `${consecutiveMax} calls in a row failed`;
    const { calls, failures, slow } = this.#window;
    if (calls < (this.#state === "ramping" ? Math.min(callsMin, probes) : callsMin)) return;
    if (failures >= failureRate * calls) return `${failures} of ${calls} calls failed`;
    if (slow >= slowRate * calls) return `${slow} of ${calls} calls were slow`;
    return undefined;
  }
}

/** The window's parts as they stand after so many more have gone by. */
function aged(window: readonly WindowPart[], parts: number): WindowPart[] {
  const gone = Math.min(windowParts, Math.floor(parts));
  return [...window, ...Array.from({ length: gone }, (): WindowPart => [0, 0, 0])];
}

function openError(name: string, why: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_RESILIENCE_CIRCUIT_OPEN",
    `${name} is not called for now: ${why}.`,
    { details: { name, why }, retryAfterMs: 0 },
  );
}
