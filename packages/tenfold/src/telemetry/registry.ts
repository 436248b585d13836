import { type Clock, systemClock } from "../runtime/clock.ts";
import { TenfoldError } from "../runtime/errors.ts";
import { invalidOption, numberOption } from "../runtime/options.ts";
import { HistogramState, latencyBucketsSeconds } from "./histogram-state.ts";
import type {
  Counter,
  Gauge,
  Histogram,
  HistogramOptions,
  Labelled,
  Labels,
  MetricFamily,
  MetricKind,
  MetricOptions,
  Sample,
  Summary,
  SummaryOptions,
} from "./metric.ts";

/** All metrics of one process, or of one part of it. Asked for again, a metric is the same one. */
export interface Registry {
  counter<const Name extends string>(
    options: MetricOptions & { readonly labels: readonly Name[] },
  ): Labelled<Name, Counter>;
  counter(options: MetricOptions): Counter;
  gauge<const Name extends string>(
    options: MetricOptions & { readonly labels: readonly Name[] },
  ): Labelled<Name, Gauge>;
  gauge(options: MetricOptions): Gauge;
  /** Also gives a gauge `NAME_max`: the greatest value of the last 60 to 70 s. */
  histogram<const Name extends string>(
    options: HistogramOptions & { readonly labels: readonly Name[] },
  ): Labelled<Name, Histogram>;
  histogram(options: HistogramOptions): Histogram;
  summary(options: SummaryOptions): Summary;
  /** Calls `update` before every `read`: for values that are looked up, not counted. */
  beforeRead(update: () => void): void;
  /** Every metric with its series, sorted by name. */
  read(): readonly MetricFamily[];
}

export interface RegistryOptions {
  /** Series that one metric may have, 1 … 100,000; further label values share one, "other". */
  readonly seriesMax?: number;
  readonly clock?: Pick<Clock, "now">;
}

export const registryDefaults: { readonly seriesMax: number } = Object.freeze({ seriesMax: 500 });

/**
 * A registry of metrics. Names and labels are checked when a metric is made; its hot path adds to
 * a number and allocates nothing.
 *
 * @throws TENFOLD_TELEMETRY_METRIC_CONFLICT from a metric asked for again with another shape
 */
export function createRegistry(options: RegistryOptions = {}): Registry {
  const { seriesMax = registryDefaults.seriesMax, clock = systemClock } = options;
  numberOption("seriesMax", seriesMax, { min: 1, max: 100_000 });
  const metrics = new Map<string, Metric<Series>>();
  const updates: (() => void)[] = [];
  const now = (): number => clock.now();
  const folded = new Metric(
    {
      name: "tenfold_telemetry_folded_total",
      help: "Label values that had no room in their metric and were counted as other.",
      labels: ["metric"],
    },
    "counter",
    seriesMax,
    () => new Sum(),
  );
  metrics.set(folded.name, folded);

  const metric = <State extends Series>(
    kind: MetricKind,
    shape: HistogramOptions & { readonly labels?: readonly string[] },
    makeState: () => State,
  ): never => {
    const known = metrics.get(shape.name);
    const made = new Metric(shape, kind, seriesMax, makeState, (name) =>
      folded.with({ metric: name }).add(),
    );
    if (known === undefined) metrics.set(made.name, made);
    else if (known.shape !== made.shape) throw conflict(shape.name, known.shape, made.shape);
    const metric = known ?? made;
    return (metric.labels.length === 0 ? metric.with({}) : metric) as never;
  };

  return {
    counter: (shape: MetricOptions) => metric("counter", shape, () => new Sum()),
    gauge: (shape: MetricOptions) => metric("gauge", shape, () => new Level()),
    histogram(shape: HistogramOptions) {
      const bounds = checkedBounds(shape);
      return metric("histogram", shape, () => new HistogramState(bounds, now));
    },
    summary: (shape) => metric("summary", shape, () => new Quantiles(shape.quantiles)),
    beforeRead: (update) => void updates.push(update),
    read() {
      for (const update of updates) update();
      return [...metrics.values()]
        .flatMap((each) => each.families())
        .filter(({ samples }) => samples.length > 0)
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    },
  };
}

interface Series {
  samples(labels: Sample["labels"]): Sample[];
  max?(): number;
}

class Sum implements Counter, Series {
  #value = 0;

  add(amount = 1): void {
    if (amount >= 0 && amount < Number.POSITIVE_INFINITY) this.#value += amount;
  }

  samples(labels: Sample["labels"]): Sample[] {
    return [{ suffix: "", labels, value: this.#value }];
  }
}

class Level implements Gauge, Series {
  #value = 0;

  set(value: number): void {
    this.#value = value;
  }

  add(amount: number): void {
    this.#value += amount;
  }

  samples(labels: Sample["labels"]): Sample[] {
    return [{ suffix: "", labels, value: this.#value }];
  }
}

class Quantiles implements Summary, Series {
  readonly #quantiles: readonly number[];
  #values: readonly number[] = [];

  constructor(quantiles: readonly number[]) {
    this.#quantiles = quantiles;
  }

  set(values: readonly number[]): void {
    this.#values = values;
  }

  samples(labels: Sample["labels"]): Sample[] {
    return this.#quantiles.map((quantile, index) => ({
      suffix: "",
      labels: [...labels, ["quantile", String(quantile)]],
      value: this.#values[index] ?? Number.NaN,
    }));
  }
}

class Metric<State extends Series> implements Labelled<string, State> {
  readonly name: string;
  readonly labels: readonly string[];
  readonly shape: string;
  readonly #help: string;
  readonly #kind: MetricKind;
  readonly #seriesMax: number;
  readonly #makeState: () => State;
  readonly #onFold: ((name: string) => void) | undefined;
  readonly #series = new Map<string, { readonly values: readonly string[]; state: State }>();

  constructor(
    options: HistogramOptions & { readonly labels?: readonly string[] },
    kind: MetricKind,
    seriesMax: number,
    makeState: () => State,
    onFold?: (name: string) => void,
  ) {
    checkNames(options.name, options.labels ?? [], kind);
    this.name = options.name;
    this.labels = options.labels ?? [];
    this.shape = JSON.stringify([kind, this.labels, options.buckets]);
    this.#help = options.help;
    this.#kind = kind;
    this.#seriesMax = seriesMax;
    this.#makeState = makeState;
    this.#onFold = onFold;
  }

  with(labels: Labels): State {
    const values = this.labels.map((name) => String(labels[name]).toWellFormed());
    return this.#find(values) ?? this.#add(values);
  }

  families(): MetricFamily[] {
    const all = [...this.#series].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
    const named = (values: readonly string[]): Sample["labels"] =>
      values.map((value, index) => [this.labels[index] as string, value] as const);
    const samples = all.flatMap(({ values, state }) => state.samples(named(values)));
    const family = { name: this.name, help: this.#help, kind: this.#kind, samples };
    if (this.#kind !== "histogram") return [family];
    const maxima = all.map(({ values, state }) => ({
      suffix: "" as const,
      labels: named(values),
      value: state.max?.() ?? 0,
    }));
    const help = `Greatest value of the last minute: ${this.#help}`;
    return [family, { name: `${this.name}_max`, help, kind: "gauge", samples: maxima }];
  }

  #find(values: readonly string[]): State | undefined {
    return this.#series.get(keyOf(values))?.state;
  }

  #add(values: readonly string[]): State {
    // The last place is kept for "other", so that the sum over all series stays true.
    if (this.labels.length > 0 && this.#series.size >= this.#seriesMax - 1) {
      this.#onFold?.(this.name);
      const others = this.labels.map(() => "other");
      return this.#find(others) ?? this.#insert(others);
    }
    return this.#insert(values);
  }

  #insert(values: readonly string[]): State {
    const state = this.#makeState();
    this.#series.set(keyOf(values), { values, state });
    return state;
  }
}

/** Lengths first: no value can pose as two. */
function keyOf(values: readonly string[]): string {
  return values.length === 1 ? (values[0] as string) : values.map((v) => `${v.length}:${v}`).join();
}

const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const labelName = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;

function checkNames(name: string, labels: readonly string[], kind: MetricKind): void {
  if (!metricName.test(name)) throw invalidOption("metric name", `like ${metricName}`, name);
  const reserved = kind === "histogram" ? "le" : "";
  for (const label of labels) {
    const fits = labelName.test(label) && label !== reserved;
    if (!fits) throw invalidOption(`label of ${name}`, `like ${labelName}, not "le"`, label);
  }
  if (new Set(labels).size < labels.length) {
    throw invalidOption(`labels of ${name}`, "different from each other", labels);
  }
}

function checkedBounds({ name, buckets }: HistogramOptions): readonly number[] {
  if (buckets === undefined) return latencyBucketsSeconds;
  const grow = buckets.every((bound, i) => bound > (buckets[i - 1] ?? Number.NEGATIVE_INFINITY));
  if (buckets.length > 0 && grow && buckets.every(Number.isFinite)) return buckets;
  throw invalidOption(`buckets of ${name}`, "finite bounds that grow", buckets);
}

function conflict(name: string, known: string, wanted: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_TELEMETRY_METRIC_CONFLICT",
    `The metric ${name} exists as ${known} and was asked for as ${wanted}.`,
    { details: { name } },
  );
}
