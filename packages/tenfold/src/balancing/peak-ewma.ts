/**
 * A latency estimate that jumps up at once and comes down slowly: a slow answer is believed, a
 * quick one has to be repeated. From Finagle's peak EWMA.
 */
export interface PeakEwma {
  /** The estimate in milliseconds as of `now`, or undefined before the first sample. O(1). */
  estimate(now: number): number | undefined;
  /** Takes in one measured latency in milliseconds (≥ 0). */
  record(now: number, latencyMs: number): void;
  /** Forgets the past: the estimate is `latencyMs` from here on. */
  reset(now: number, latencyMs: number): void;
}

/**
 * Decay by e^(−Δ/τ) between samples; reading decays too, so that a host that is avoided because
 * it once was slow is tried again.
 *
 * @param decayMs τ, above 0.
 */
export function peakEwma(decayMs: number): PeakEwma {
  let value: number | undefined;
  let at = 0;
  const keep = (now: number): number => Math.exp(-Math.max(0, now - at) / decayMs);
  const set = (now: number, latencyMs: number): void => {
    value = latencyMs;
    at = now;
  };
  return {
    estimate: (now) => (value === undefined ? undefined : value * keep(now)),
    record(now, latencyMs) {
      if (value === undefined) return set(now, latencyMs);
      const kept = keep(now);
      const decayed = value * kept;
      set(now, latencyMs > decayed ? latencyMs : value * kept + latencyMs * (1 - kept));
    },
    reset: set,
  };
}
