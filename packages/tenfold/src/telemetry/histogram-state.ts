import type { Histogram, Sample } from "./metric.ts";

/** Four a decade from 0.1 ms to 60 s: a quantile read from them is off by a third at most. */
export const latencyBucketsSeconds: readonly number[] = Object.freeze([
  0.0001, 0.00018, 0.00032, 0.00056, 0.001, 0.0018, 0.0032, 0.0056, 0.01, 0.018, 0.032, 0.056, 0.1,
  0.18, 0.32, 0.56, 1, 1.8, 3.2, 5.6, 10, 18, 32, 60,
]);

const windowMs = 10_000;
const windowsKept = 6;

/**
 * The state of one histogram series. Its maximum is that of the last 60 to 70 s and turns with
 * time, not with scrapes, so that two readers see the same.
 */
export class HistogramState implements Histogram {
  readonly #bounds: Float64Array;
  readonly #counts: Float64Array;
  readonly #now: () => number;
  readonly #maxima = new Float64Array(windowsKept + 1);
  #window = 0;
  #sum = 0;

  constructor(bounds: readonly number[], now: () => number) {
    this.#bounds = Float64Array.from(bounds);
    this.#counts = new Float64Array(bounds.length + 1);
    this.#now = now;
    this.#window = this.#currentWindow();
  }

  observe(value: number): void {
    if (Number.isNaN(value)) return;
    const bucket = this.#bucketOf(value);
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += value;
    this.#turn();
    const slot = this.#window % this.#maxima.length;
    if (value > (this.#maxima[slot] as number)) this.#maxima[slot] = value;
  }

  max(): number {
    this.#turn();
    return Math.max(...this.#maxima);
  }

  samples(labels: Sample["labels"]): Sample[] {
    const samples: Sample[] = [];
    let below = 0;
    for (const [index, count] of this.#counts.entries()) {
      below += count;
      const bound = this.#bounds[index];
      const le = bound === undefined ? "+Inf" : String(bound);
      samples.push({ suffix: "_bucket", labels: [...labels, ["le", le]], value: below });
    }
    samples.push({ suffix: "_sum", labels, value: this.#sum });
    samples.push({ suffix: "_count", labels, value: below });
    return samples;
  }

  /** The first bucket whose bound is not below the value, by binary search. */
  #bucketOf(value: number): number {
    let low = 0;
    let high = this.#bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (value <= (this.#bounds[middle] as number)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #currentWindow(): number {
    return Math.floor(this.#now() / windowMs);
  }

  /** Empties the windows that began since the last call. */
  #turn(): void {
    const current = this.#currentWindow();
    if (current === this.#window) return;
    const passed = Math.min(current - this.#window, this.#maxima.length);
    for (let i = 0; i < passed; i++) this.#maxima[(current - i) % this.#maxima.length] = 0;
    this.#window = current;
  }
}
