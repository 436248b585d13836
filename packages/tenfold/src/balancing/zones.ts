import { invalidOption, numberOption, refuseUnknownKeys } from "../runtime/options.ts";

export interface ZoneOptions {
  /** The caller's zone. Without hosts in it, all hosts are alike. */
  readonly own: string;
  /** As long as so much of the zone, times this, is well, all calls stay in it: 1 … 10. */
  readonly overProvision?: number;
  /** A host of average weight with so many calls under way lets the next go far: 1 … 100,000. */
  readonly nearPendingMax?: number;
}

export const zoneDefaults: Readonly<Required<Omit<ZoneOptions, "own">>> = Object.freeze({
  overProvision: 1.4,
  nearPendingMax: 64,
});

/** @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN */
export function zoneLimits(options: ZoneOptions): Required<ZoneOptions> {
  refuseUnknownKeys("zone", options, ["own", ...Object.keys(zoneDefaults)]);
  const limits = { ...zoneDefaults, ...options };
  if (typeof limits.own !== "string" || limits.own === "") {
    throw invalidOption("zone.own", "the name of a zone", limits.own);
  }
  numberOption("zone.overProvision", limits.overProvision, { min: 1, max: 10, whole: false });
  numberOption("zone.nearPendingMax", limits.nearPendingMax, { min: 1, max: 100_000 });
  return limits;
}

/**
 * The share of calls that stays in the zone when `well` of its weight `all` is well. Envoy's
 * over-provisioning factor: a zone that lost a little still serves itself.
 */
export function nearShare(well: number, all: number, overProvision: number): number {
  return all === 0 ? 0 : Math.min(1, (overProvision * well) / all);
}
