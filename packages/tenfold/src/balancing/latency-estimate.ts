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
 * repeated. From Finagle's peak EWMA. Decays by e^(−Δ/τ) between samples, and for reading too, so
 * that a host that is avoided because it once was slow is tried again.
 *
 * @param decayMs τ, above 0.
 */
export function peakEwma(decayMs: number): LatencyEstimate {
  return new PeakEwma(decayMs);
}

export interface HeldEstimate extends LatencyEstimate {
  /** Is it far above the mean, and so held? */
  isSlow(now: number): boolean;
}

/**
 * The same, but what is far above `mean` comes down with its own samples alone, and each of those
 * takes off at most a fiftieth. So a host that is asked rarely, because it is slow, is not forgiven
 * for the time that it was left alone, nor for one quick answer.
 *
 * @param decayMs τ, above 0.
 */
export function heldPeak(decayMs: number, mean: LatencyEstimate): HeldEstimate {
  return new HeldPeak(decayMs, mean);
}

/**
 * The mean latency, where a sample counts for the time since the one before it. Reading does not
 * decay.
 *
 * @param decayMs τ, above 0.
 */
export function decayedMean(decayMs: number): LatencyEstimate {
  return new DecayedMean(decayMs);
}

/** Classes, because this is the hottest code of a pick. */
class Estimate {
  // NaN and not undefined: a field that only ever holds numbers is written without allocating.
  protected value = Number.NaN;
  protected at = 0;
  protected readonly decayMs: number;

  constructor(decayMs: number) {
    this.decayMs = decayMs;
  }

  reset(now: number, latencyMs: number): void {
    this.value = latencyMs;
    this.at = now;
  }
}

class PeakEwma extends Estimate implements LatencyEstimate {
  estimate(now: number): number {
    return Number.isNaN(this.value) ? this.value : this.value * kept(now - this.at, this.decayMs);
  }

  record(now: number, latencyMs: number): void {
    const share = kept(now - this.at, this.decayMs);
    const decayed = this.value * share;
    this.reset(now, latencyMs < decayed ? decayed + latencyMs * (1 - share) : latencyMs);
  }
}

class HeldPeak extends PeakEwma implements HeldEstimate {
  readonly #mean: LatencyEstimate;

  constructor(decayMs: number, mean: LatencyEstimate) {
    super(decayMs);
    this.#mean = mean;
  }

  override estimate(now: number): number {
    return this.isSlow(now) ? this.value : super.estimate(now);
  }

  override record(now: number, latencyMs: number): void {
    // As if the sample before had come so shortly before.
    if (this.isSlow(now)) this.at = Math.max(this.at, now - this.decayMs / samplesMin);
    super.record(now, latencyMs);
  }

  isSlow(now: number): boolean {
    return this.value > slowRatio * this.#mean.estimate(now);
  }
}

/** Exponential latencies reach so many times their mean once in three thousand samples. */
const slowRatio = 8;
/** So many samples are remembered, however far apart they are. */
const samplesMin = 50;

class DecayedMean extends Estimate implements LatencyEstimate {
  estimate(): number {
    return this.value;
  }

  record(now: number, latencyMs: number): void {
    const share = Number.isNaN(this.value) ? 0 : kept(now - this.at, this.decayMs);
    this.reset(now, share === 0 ? latencyMs : latencyMs + (this.value - latencyMs) * share);
  }
}

/** e^(−Δ/τ); 1 where time stood still or went back. */
function kept(elapsedMs: number, decayMs: number): number {
  const x = elapsedMs / decayMs;
  if (x <= 0) return 1;
  // Most samples come close together: three terms are exact to 10⁻⁷ there, and far cheaper.
  return x < 0.01 ? 1 - x + (x * x) / 2 : Math.exp(-x);
}
