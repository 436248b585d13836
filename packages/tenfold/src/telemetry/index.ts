export { exposition, expositionContentType } from "./exposition.ts";
export { latencyBucketsSeconds } from "./histogram-state.ts";
export type {
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
export { type ParsedSeries, parseExposition } from "./parse-exposition.ts";
export { type ProcessProbe, processMetrics } from "./process-metrics.ts";
export { bucketGrowth, quantileOfBuckets } from "./quantile.ts";
export {
  createRegistry,
  type Registry,
  type RegistryOptions,
  registryDefaults,
} from "./registry.ts";
