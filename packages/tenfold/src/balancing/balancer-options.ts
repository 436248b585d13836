import { numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import type { Random } from "../runtime/random.ts";
import type { LoadMeasure } from "./load-measure.ts";
import { peakEwmaLoad } from "./peak-ewma-load.ts";
import type { Picking } from "./picking.ts";
import { randomChoices } from "./random-choices.ts";
import { type ZoneOptions, zoneLimits } from "./zones.ts";

export interface BalancerOptions {
  readonly random: Random;
  /** What is measured. Default `peakEwmaLoad()`. */
  readonly measure?: LoadMeasure;
  /** How one picks. Default `randomChoices()`. */
  readonly picking?: Picking;
  /** Near first; without it zones play no part. */
  readonly zone?: ZoneOptions;
  /** Failures in a row that eject a host: 1 … 1,000,000 (never). */
  readonly failuresMax?: number;
  /** What the failure rate of a host is taken over: 100 … 600,000. */
  readonly rateWindowMs?: number;
  /** Calls within the window that a judgement by rate needs: 5 … 10,000. */
  readonly rateSamplesMin?: number;
  /** A host that fails so much more often than the others is ejected: 0.01 … 1. */
  readonly rateDifferenceMin?: number;
  /** Successes in a row that bring an ejected host back: 1 … 100. */
  readonly successesMin?: number;
  /** First probe of a failing host: 10 … 60,000. */
  readonly probeMs?: number;
  /** Longest time between probes: 10 … 600,000. */
  readonly probeMsMax?: number;
  /** With a smaller share of hosts in, ejection is ignored: 0 … 1. */
  readonly panicShare?: number;
  /** A new host comes to its full share in this time: 0 (at once) … 600,000. */
  readonly slowStartMs?: number;
  /** The same for one that was ejected: 0 … 600,000. */
  readonly recoveryMs?: number;
  /** The share that either begins with: 0.01 … 1. */
  readonly slowStartShareMin?: number;
  /** How many endpoints are kept of a list: 1 … 100,000. */
  readonly endpointsMax?: number;
}

/** What must be given or has no plain default. */
type Parts = "random" | "measure" | "picking" | "zone";

export const balancerDefaults: Readonly<Required<Omit<BalancerOptions, Parts>>> = Object.freeze({
  failuresMax: 5,
  rateWindowMs: 10_000,
  rateSamplesMin: 10,
  rateDifferenceMin: 0.1,
  successesMin: 3,
  probeMs: 250,
  /** With jitter a healed host is found in 3.75 s at the latest, where calls may be repeated. */
  probeMsMax: 2_500,
  panicShare: 0.5,
  slowStartMs: 5_000,
  recoveryMs: 1_000,
  slowStartShareMin: 0.1,
  endpointsMax: 1_000,
});

export interface BalancerLimits extends Required<Omit<BalancerOptions, "zone">> {
  readonly zone: Required<ZoneOptions> | undefined;
}

const known = [...Object.keys(balancerDefaults), "random", "measure", "picking", "zone"];

/** @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN */
export function balancerLimits(options: BalancerOptions): BalancerLimits {
  refuseUnknownKeys("A balancer", options, known);
  const limits: BalancerLimits = {
    measure: peakEwmaLoad(),
    picking: randomChoices(),
    ...balancerDefaults,
    ...options,
    zone: options.zone && zoneLimits(options.zone),
  };
  const check = (name: keyof typeof balancerDefaults, min: number, max: number, whole = true) =>
    numberOption(name, limits[name], { min, max, whole });
  check("failuresMax", 1, 1_000_000);
  check("rateWindowMs", 100, 600_000);
  check("rateSamplesMin", 5, 10_000);
  check("rateDifferenceMin", 0.01, 1, false);
  check("successesMin", 1, 100);
  check("probeMs", 10, 60_000);
  check("probeMsMax", 10, 600_000);
  check("panicShare", 0, 1, false);
  check("slowStartMs", 0, 600_000);
  check("recoveryMs", 0, 600_000);
  check("slowStartShareMin", 0.01, 1, false);
  check("endpointsMax", 1, 100_000);
  return limits;
}
