import { numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import { decayedMean, heldPeak, peakEwma } from "./latency-estimate.ts";
import type { HostMeter, LoadMeasure } from "./load-measure.ts";
import { type PoolPace, SlowProbes } from "./slow-probes.ts";

export interface PeakEwmaLoadOptions {
  /** τ of the latency estimate: 100 … 600,000. */
  readonly decayMs?: number;
  /** Failing counts as so many times the latency of the whole pool: 1 … 1,000. */
  readonly failurePenalty?: number;
  /** Failing counts as at least this long: 1 … 60,000. */
  readonly failureMsMin?: number;
}

export const peakEwmaLoadDefaults: Readonly<Required<PeakEwmaLoadOptions>> = Object.freeze({
  decayMs: 10_000,
  failurePenalty: 20,
  failureMsMin: 200,
});

/** The one call to an unknown host may hang: the next goes there after so long. */
const unknownMsMax = 120_000;

/** A slow host is taken only where the others have so many times its load. */
const lateRatio = 4;

/**
 * Load is latency times calls under way (Finagle's peak EWMA), plus a penalty for failing: a host
 * that fails in a millisecond otherwise looks like the best one. The penalty is relative to the
 * pool's latency, grows with the square of the failures in a row, so that a single stray failure
 * moves nothing, and one success lifts it.
 *
 * A slow host is not forgiven by the mere passing of time, since its few calls would show in the
 * p99 again and again; it is asked now and then and comes back with four quick answers in a row
 * (`SlowProbes`).
 *
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN
 */
export function peakEwmaLoad(options: PeakEwmaLoadOptions = {}): LoadMeasure {
  refuseUnknownKeys("peakEwmaLoad", options, Object.keys(peakEwmaLoadDefaults));
  const limits = { ...peakEwmaLoadDefaults, ...options };
  numberOption("decayMs", limits.decayMs, { min: 100, max: 600_000 });
  numberOption("failurePenalty", limits.failurePenalty, { min: 1, max: 1_000, whole: false });
  numberOption("failureMsMin", limits.failureMsMin, { min: 1, max: 60_000 });
  return () => {
    const mean = decayedMean(limits.decayMs);
    const pool = { mean, mayLeave: false, answers: 0, probedAt: 0, probedAtMs: 0 };
    return {
      host: () => hostMeter(pool, limits),
      placing(mayLeave) {
        pool.mayLeave = mayLeave;
      },
    };
  };
}

function hostMeter(pool: PoolPace, limits: Required<PeakEwmaLoadOptions>): HostMeter {
  const latency = heldPeak(limits.decayMs, pool.mean);
  const probes = new SlowProbes(pool);
  const penalty = peakEwma(limits.decayMs);
  let triedAt = Number.NEGATIVE_INFINITY;
  const isSlow = (now: number): boolean => probes.isLate || latency.isSlow(now);
  const failed = (now: number, latencyMs: number, strain: number): void => {
    const pooled = pool.mean.estimate(now);
    const relative = Number.isNaN(pooled) ? 0 : pooled * limits.failurePenalty;
    const full = Math.max(limits.failureMsMin, relative);
    penalty.record(now, Math.max(latencyMs, full * strain * strain));
  };
  const usualLoad = (known: number, failing: number, queued: number): number => {
    if (Number.isNaN(known)) return Math.max(1, failing) * (queued + 1);
    const extra = Number.isNaN(failing) ? 0 : failing;
    const load = (Math.max(1, known) + extra) * (queued + 1);
    return probes.isLate ? load * lateRatio : load;
  };
  return {
    load(now, queued) {
      const known = latency.estimate(now);
      const failing = penalty.estimate(now);
      if (Number.isNaN(known) && Number.isNaN(failing)) {
        // An unknown host gets one call; the next waits for what that one shows.
        const isFree = queued === 0 || now - triedAt >= unknownMsMax;
        return isFree ? 0 : Number.POSITIVE_INFINITY;
      }
      // Pending calls may be streams that never end, and what once failed may fail no more: a
      // penalty that is less than an answer takes, or than a millisecond, is none.
      const isFailing = failing >= Math.max(1, pool.mean.estimate(now));
      if (!isFailing && isSlow(now) && probes.isDue(now)) return 0;
      return usualLoad(known, failing, queued);
    },
    idleLoad(now) {
      const known = latency.estimate(now);
      const failing = penalty.estimate(now);
      const isUnknown = Number.isNaN(known) && Number.isNaN(failing);
      return isUnknown ? 0 : usualLoad(known, failing, 0);
    },
    began(now) {
      if (Number.isNaN(latency.estimate(now))) triedAt = now;
      return isSlow(now) ? probes.began(now) : Number.POSITIVE_INFINITY;
    },
    record(now, outcome, latencyMs, strain) {
      if (outcome === "failure") {
        probes.failed();
        return failed(now, latencyMs, strain);
      }
      if (outcome === "success") {
        const isWell = probes.answered(now, latencyMs, isSlow(now));
        if (isWell) latency.reset(now, pool.mean.estimate(now));
        else latency.record(now, latencyMs);
        // How long one host takes that is slow by itself says nothing of the others.
        if (!probes.isLateAlone) pool.mean.record(now, latencyMs);
        pool.answers++;
        penalty.reset(now, Number.NaN);
        return;
      }
      // It would have taken at least so long; less than the estimate says nothing.
      const known = latency.estimate(now);
      if (Number.isNaN(known) || latencyMs > known) latency.record(now, latencyMs);
      probes.unanswered(now, latencyMs);
    },
    save(now) {
      const known = latency.estimate(now);
      return Number.isNaN(known) ? undefined : known;
    },
    restore: (now, latencyMs) => latency.reset(now, latencyMs),
  };
}
