import { refuseUnknownKeys } from "../runtime/options.ts";
import { runtimeWith } from "../runtime/runtime.ts";
import { type Bulkhead, type BulkheadOptions, bulkhead } from "./bulkhead.ts";
import type { CallLayer } from "./call-layer.ts";
import {
  breakerLayer,
  bulkheadLayer,
  deadlineLayer,
  rateLimitLayer,
  tryTimeoutLayer,
} from "./call-layers.ts";
import { type CircuitBreaker, circuitBreaker } from "./circuit-breaker.ts";
import type { CircuitBreakerOptions } from "./circuit-breaker-options.ts";
import {
  type CallPolicy,
  layeredPolicy,
  type PolicyOptions,
  policyDefaults,
  policyOptionNames,
} from "./layered-policy.ts";
import type { RateLimiter } from "./rate-limiter.ts";
import { type RetryBudget, type RetryBudgetOptions, retryBudget } from "./retry-budget.ts";
import { type RetryOptions, retryLayer } from "./retry-layer.ts";

export interface CallPolicyOptions extends PolicyOptions {
  /** For a whole call, waiting and retries included: 1 … 600,000. */
  readonly deadlineMs?: number;
  /** For one attempt: 1 … 600,000. */
  readonly tryTimeoutMs?: number;
  /** Without one calls may come as fast as they like. */
  readonly rateLimit?: RateLimiter;
  /** false: every call is made once. */
  readonly retry?: RetryOptions | false;
  readonly retryBudget?: RetryBudgetOptions;
  /** false: none. */
  readonly breaker?: Omit<CircuitBreakerOptions, "name" | "random"> | false;
  /** false: none. */
  readonly bulkhead?: BulkheadOptions | false;
}

export const callPolicyDefaults: { readonly deadlineMs: number; readonly tryTimeoutMs: number } =
  Object.freeze({ deadlineMs: 5_000, tryTimeoutMs: 2_000 });

/** A policy with its parts at hand: to open a circuit by hand, to save it, to show what is used. */
export interface StandardPolicy extends CallPolicy {
  readonly breaker: CircuitBreaker | undefined;
  readonly budget: RetryBudget | undefined;
  readonly bulkhead: Bulkhead<() => void> | undefined;
}

const optionNames: readonly string[] = [
  ...policyOptionNames,
  ...Object.keys(callPolicyDefaults),
  ...["rateLimit", "retry", "retryBudget", "breaker", "bulkhead"],
];

/**
 * Everything that keeps a call to one dependency from harming its caller, in the one order that
 * `layerOrder` gives with its reasons. One policy for each dependency (or class of calls to it):
 * what it has learned of one says nothing about another.
 *
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN
 */
export function callPolicy(options: CallPolicyOptions = {}): StandardPolicy {
  refuseUnknownKeys("callPolicy", options, optionNames);
  const { name = policyDefaults.name } = options;
  const { deadlineMs, tryTimeoutMs } = { ...callPolicyDefaults, ...options };
  const { random } = runtimeWith(options.runtime);
  const { retry = {} } = options;
  const budget = retry === false ? undefined : retryBudget(options.retryBudget);
  const breaker =
    options.breaker === false ? undefined : circuitBreaker({ ...options.breaker, name, random });
  const places = options.bulkhead === false ? undefined : bulkhead<() => void>(options.bulkhead);

  const layers: CallLayer[] = [deadlineLayer(deadlineMs)];
  if (options.rateLimit !== undefined) layers.push(rateLimitLayer(options.rateLimit));
  if (budget !== undefined && retry !== false) layers.push(retryLayer(budget, retry));
  if (breaker !== undefined) layers.push(breakerLayer(breaker));
  if (places !== undefined) layers.push(bulkheadLayer(places));
  layers.push(tryTimeoutLayer(tryTimeoutMs));
  const ofAnyPolicy = Object.entries(options).filter(([key]) => policyOptionNames.includes(key));
  const policy = layeredPolicy(layers, Object.fromEntries(ofAnyPolicy) as PolicyOptions);
  return { ...policy, breaker, budget, bulkhead: places };
}
