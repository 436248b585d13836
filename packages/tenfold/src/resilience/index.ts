export {
  type Bulkhead,
  type BulkheadOptions,
  bulkhead,
  bulkheadDefaults,
  type Waiter,
} from "./bulkhead.ts";
export {
  attemptHeader,
  firstCall,
  type IncomingCall,
  incomingCall,
  markRetryStop,
  outgoingHeaders,
  retryHeader,
  retryStop,
  saysRetryStop,
} from "./call-chain.ts";
export type {
  CallContext,
  CallLayer,
  CallOptions,
  FaultReason,
  Judgement,
  LayerKind,
} from "./call-layer.ts";
export {
  breakerLayer,
  bulkheadLayer,
  deadlineLayer,
  rateLimitLayer,
  tryTimeoutLayer,
} from "./call-layers.ts";
export {
  type CallPolicyOptions,
  callPolicy,
  callPolicyDefaults,
  type StandardPolicy,
} from "./call-policy.ts";
export { type CallOutcome, type CircuitBreaker, circuitBreaker } from "./circuit-breaker.ts";
export { type CircuitBreakerOptions, circuitBreakerDefaults } from "./circuit-breaker-options.ts";
export type { CircuitState, SavedCircuit } from "./circuit-breaker-state.ts";
export {
  type Deadline,
  deadlineAfter,
  deadlineHeader,
  deadlineMsMax,
  formatDeadline,
  parseDeadline,
} from "./deadline.ts";
export type { Decision, DecisionKind } from "./decision-log.ts";
export { type Guarded, guard } from "./guard.ts";
export {
  type KeyedLimiter,
  type KeyedLimiterOptions,
  keyedLimiter,
  type SavedKeyedLimiter,
} from "./keyed-limiter.ts";
export { layerOrder } from "./layer-order.ts";
export {
  type Answer,
  type CallPolicy,
  type Fault,
  layeredPolicy,
  type PolicyOptions,
  policyDefaults,
} from "./layered-policy.ts";
export {
  type GcraOptions,
  gcra,
  type RateLimiter,
  type RestorableLimiter,
  type SavedGcra,
  type SavedLimiter,
  type SavedSlidingWindow,
  type SlidingWindowOptions,
  slidingWindow,
} from "./rate-limiter.ts";
export {
  type AttemptFailure,
  type BackOff,
  backOffDefaults,
  fullJitter,
  isIdempotentMethod,
  type RetryVerdict,
  retryVerdict,
} from "./retry.ts";
export {
  type RetryBudget,
  type RetryBudgetOptions,
  retryBudget,
  retryBudgetDefaults,
  type SavedRetryBudget,
} from "./retry-budget.ts";
export { type RetryOptions, retryDefaults, retryLayer } from "./retry-layer.ts";
