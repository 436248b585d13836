export {
  type Balancer,
  type BalancerOptions,
  balancer,
  balancerDefaults,
  type Candidate,
  type Outcome,
  type Picked,
  type PickOptions,
} from "./balancer.ts";
export { type Ejection, type EjectionOptions, ejectedMax, ejection } from "./ejection.ts";
export { type PeakEwma, peakEwma } from "./peak-ewma.ts";
export { twoChoices } from "./two-choices.ts";
