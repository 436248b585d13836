import { numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import type { Host } from "./host.ts";
import type { Picking } from "./picking.ts";
import { smoothTurn } from "./smooth-weighted.ts";

export interface DynamicWeightedOptions {
  /** How often weights are measured anew: 100 … 600,000. */
  readonly periodMs?: number;
  /** A host gets at most so many times the average, and at least one over it: 1 … 1,000. */
  readonly spreadMax?: number;
  /** How far a weight moves towards what was measured, each period: above 0 … 1. */
  readonly smoothing?: number;
}

export const dynamicWeightedDefaults: Readonly<Required<DynamicWeightedOptions>> = Object.freeze({
  periodMs: 1_000,
  spreadMax: 10,
  smoothing: 0.3,
});

/**
 * Smooth weighted round robin with weights from what is measured: static weight over idle load, so
 * with a latency measure a host twice as slow gets half as much. Left to itself that swings, so it
 * is bounded, smoothed and measured once a period; hosts of which nothing is known get the average.
 * After gRPC's weighted round robin (proposal A58). O(n).
 *
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN
 */
export function dynamicWeighted(options: DynamicWeightedOptions = {}): Picking {
  refuseUnknownKeys("dynamicWeighted", options, Object.keys(dynamicWeightedDefaults));
  const { periodMs, spreadMax, smoothing } = { ...dynamicWeightedDefaults, ...options };
  numberOption("periodMs", periodMs, { min: 100, max: 600_000 });
  numberOption("spreadMax", spreadMax, { min: 1, max: 1_000, whole: false });
  numberOption("smoothing", smoothing, { min: 0.01, max: 1, whole: false });

  const measure = (hosts: readonly Host[], now: number): void => {
    const speeds = hosts.map((host) => speedOf(host, now));
    const known = speeds.filter((speed) => speed > 0);
    const mean = known.reduce((sum, speed) => sum + speed, 0) / known.length;
    for (const [i, host] of hosts.entries()) {
      const speed = speeds[i] as number;
      const relative = speed > 0 && known.length > 1 ? speed / mean : 1;
      const target = Math.min(spreadMax, Math.max(1 / spreadMax, relative));
      host.share = Number.isNaN(host.share)
        ? target
        : host.share + smoothing * (target - host.share);
    }
  };
  return (random) => {
    let measuredAt = Number.NEGATIVE_INFINITY;
    return {
      pick(hosts, now) {
        if (Math.abs(now - measuredAt) >= periodMs) {
          measure(hosts, now);
          measuredAt = now;
        }
        const weightOf = (host: Host): number => {
          return host.weightAt(now) * (Number.isNaN(host.share) ? 1 : host.share);
        };
        return smoothTurn(hosts, weightOf, random);
      },
    };
  };
}

/** 0 for a host of which nothing is known. */
function speedOf(host: Host, now: number): number {
  const load = host.idleLoad(now);
  return load > 0 && Number.isFinite(load) ? 1 / load : 0;
}
