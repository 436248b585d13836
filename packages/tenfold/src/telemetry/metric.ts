export type MetricKind = "counter" | "gauge" | "histogram" | "summary";

/** Label values by name. The names are fixed per metric; values come from a small, known set. */
export type Labels<Name extends string = string> = Readonly<Record<Name, string>>;

/** Only grows; starts at 0 with its process. */
export interface Counter {
  /** @param amount ≥ 0, default 1; a negative or non-finite one is not counted. */
  add(amount?: number): void;
}

/** Goes up and down. */
export interface Gauge {
  set(value: number): void;
  add(amount: number): void;
}

/** Sorts values into buckets, and remembers the greatest of the last minute. */
export interface Histogram {
  /** A NaN is not counted. */
  observe(value: number): void;
}

/** Shows quantiles that were worked out elsewhere. */
export interface Summary {
  /** One value a quantile, in the order they were declared. */
  set(values: readonly number[]): void;
}

/** A metric with labels: bind once with `with`, keep the result, use it on the hot path. */
export interface Labelled<Name extends string, Metric> {
  /** The series with these label values; the same one every time. O(labels). */
  with(labels: Labels<Name>): Metric;
}

export interface MetricOptions {
  /** Prometheus style: base unit at the end, counters end in `_total`. */
  readonly name: string;
  readonly help: string;
}

export interface HistogramOptions extends MetricOptions {
  /** Upper bounds, growing; +Inf is added. Default `latencyBucketsSeconds`. */
  readonly buckets?: readonly number[];
}

export interface SummaryOptions extends MetricOptions {
  /** Each 0 … 1; 1 is the maximum. */
  readonly quantiles: readonly number[];
}

/** One line of an exposition: what is appended to the metric's name, labels and value. */
export interface Sample {
  readonly suffix: "" | "_bucket" | "_sum" | "_count";
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly value: number;
}

/** A metric with all its series as they are now. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly kind: MetricKind;
  readonly samples: readonly Sample[];
}
