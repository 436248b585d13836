export {
  type Balancer,
  balancer,
  type Picked,
  type PickOptions,
  type PickReason,
} from "./balancer.ts";
export { type BalancerOptions, balancerDefaults } from "./balancer-options.ts";
export type { BalancerState, SavedEndpoint } from "./balancer-state.ts";
export { type BoundedHashOptions, boundedHash, boundedHashDefaults } from "./bounded-hash.ts";
export type { Candidate } from "./candidate.ts";
export {
  type DynamicWeightedOptions,
  dynamicWeighted,
  dynamicWeightedDefaults,
} from "./dynamic-weighted.ts";
export type { SavedEjection } from "./ejection.ts";
export type { EndpointView } from "./endpoint-view.ts";
export { fullScan } from "./full-scan.ts";
export type { Host } from "./host.ts";
export { decayedMean, type LatencyEstimate, peakEwma } from "./latency-estimate.ts";
export { leastLoaded } from "./least-loaded.ts";
export type { HostMeter, LoadMeasure, Outcome, PoolMeter } from "./load-measure.ts";
export { type PeakEwmaLoadOptions, peakEwmaLoad, peakEwmaLoadDefaults } from "./peak-ewma-load.ts";
export type { Picker, Picking } from "./picking.ts";
export {
  type RandomChoicesOptions,
  randomChoices,
  randomChoicesDefaults,
  twoChoices,
} from "./random-choices.ts";
export { roundRobin } from "./round-robin.ts";
export {
  type Moved,
  type ServerQueues,
  type ServerQueuesOptions,
  serverQueues,
  serverQueuesDefaults,
  type Ticket,
} from "./server-queues.ts";
export { smoothWeighted } from "./smooth-weighted.ts";
export { type ZoneOptions, zoneDefaults } from "./zones.ts";
