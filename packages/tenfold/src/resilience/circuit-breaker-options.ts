import { numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import type { Random } from "../runtime/random.ts";

export interface CircuitBreakerOptions {
  /** What is behind it, for the message of a refusal. */
  readonly name?: string;
  /** Opens at this share of failed calls: 0.01 … 1. */
  readonly failureRate?: number;
  /** From here on a call is slow: 1 … 600,000 ms. Without it no call is. */
  readonly slowMs?: number;
  /** Opens at this share of slow calls: 0.01 … 1. */
  readonly slowRate?: number;
  /** The shares are those of the last so many milliseconds: 100 … 600,000. */
  readonly windowMs?: number;
  /** Fewer calls in the window say nothing: 1 … 1,000,000. */
  readonly callsMin?: number;
  /** Opens at so many failures in a row, at once: 1 … 1,000,000. */
  readonly consecutiveMax?: number;
  /** The first open time, doubled at each failed return: 1 … 600,000. */
  readonly openMs?: number;
  /** … up to this: `openMs` … 3,600,000. */
  readonly openMsMax?: number;
  /** An open time is shortened by up to this share, lest all callers return at once: 0 … 1. */
  readonly jitter?: number;
  /** So many calls must go well before the others may come: 1 … 100. */
  readonly probes?: number;
  /** A probe that has not ended by then is given up, and another may go: 1 … 600,000. */
  readonly probeLeaseMs?: number;
  /** From the first 10 % of the calls to all of them: 0 … 600,000. */
  readonly rampMs?: number;
  readonly random?: Pick<Random, "next">;
}

export const circuitBreakerDefaults: Readonly<
  Required<Omit<CircuitBreakerOptions, "slowMs" | "random">>
> = Object.freeze({
  name: "the callee",
  failureRate: 0.5,
  slowRate: 0.5,
  windowMs: 10_000,
  callsMin: 20,
  consecutiveMax: 10,
  openMs: 5_000,
  openMsMax: 60_000,
  jitter: 0.5,
  probes: 3,
  probeLeaseMs: 10_000,
  rampMs: 5_000,
});

/** The options with nothing left open; without `slowMs` no call is slow. */
export type CircuitLimits = Required<Omit<CircuitBreakerOptions, "random">>;

/** @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN */
export function circuitLimits(options: CircuitBreakerOptions): CircuitLimits {
  const known = [...Object.keys(circuitBreakerDefaults), "slowMs", "random"];
  refuseUnknownKeys("circuitBreaker", options, known);
  const given = { ...circuitBreakerDefaults, ...options };
  const whole = (name: keyof typeof given, min: number, max: number): number =>
    numberOption(name, given[name], { min, max });
  const rate = (name: keyof typeof given, min: number): number =>
    numberOption(name, given[name], { min, max: 1, whole: false });
  const { slowMs = Number.POSITIVE_INFINITY } = options;
  if (options.slowMs !== undefined) numberOption("slowMs", slowMs, { min: 1, max: 600_000 });
  const openMs = whole("openMs", 1, 600_000);
  return {
    name: given.name,
    slowMs,
    failureRate: rate("failureRate", 0.01),
    slowRate: rate("slowRate", 0.01),
    windowMs: whole("windowMs", 100, 600_000),
    callsMin: whole("callsMin", 1, 1_000_000),
    consecutiveMax: whole("consecutiveMax", 1, 1_000_000),
    openMs,
    openMsMax: whole("openMsMax", openMs, 3_600_000),
    jitter: rate("jitter", 0),
    probes: whole("probes", 1, 100),
    probeLeaseMs: whole("probeLeaseMs", 1, 600_000),
    rampMs: whole("rampMs", 0, 600_000),
  };
}
