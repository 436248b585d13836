/** A running estimate of a latency. */
export interface LatencyEstimate {
  /** The estimate in milliseconds as of `now`, NaN before the first sample. O(1). */
  estimate(now: number): number;
  /** Takes in one measured latency in milliseconds (≥ 0). */
  record(now: number, latencyMs: number): void;
  /** Forgets the past: the estimate is `latencyMs` from here on. */
  reset(now: number, latencyMs: number): void;
}

/**
 * Jumps up at once and comes down slowly: a slow answer is believed, a quick one has to be
 * repeated. From Finagle's peak EWMA. Decay by e^(−Δ/τ) between samples; reading decays too, so that a host that is avoided because
 * it once was slow is tried again.
 *
 * @param decayMs τ, above 0.
 */
export function peakEwma(decayMs: number): LatencyEstimate {
  // NaN and not undefined: a field that only ever holds numbers is written without allocating.
  const state = { value: Number.NaN, at: 0 };
  const keep = (now: number): number =>
    now <= state.at ? 1 : Math.exp((state.at - now) / decayMs);
  const reset = (now: number, latencyMs: number): void => {
    state.value = latencyMs;
    state.at = now;
  };
  return {
    estimate: (now) => state.value * keep(now),
    record(now, latencyMs) {
      const kept = keep(now);
      const decayed = state.value * kept;
      reset(now, latencyMs < decayed ? decayed + latencyMs * (1 - kept) : latencyMs);
    },
    reset,
  };
}

/**
 * The mean latency, where a sample counts for the time since the one before it. Reading does not
 * decay.
 *
 * @param decayMs τ, above 0.
 */
export function decayedMean(decayMs: number): LatencyEstimate {
  const state = { value: Number.NaN, at: 0 };
  const reset = (now: number, latencyMs: number): void => {
    state.value = latencyMs;
    state.at = now;
  };
  return {
    estimate: () => state.value,
    record(now, latencyMs) {
      const kept = now <= state.at ? 1 : Math.exp((state.at - now) / decayMs);
      reset(
        now,
        Number.isNaN(state.value) ? latencyMs : latencyMs + (state.value - latencyMs) * kept,
      );
    },
    reset,
  };
}
