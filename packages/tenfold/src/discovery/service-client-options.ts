import type { BalancerOptions } from "../balancing/balancer-options.ts";
import { type CallPolicyOptions, callPolicy } from "../resilience/call-policy.ts";
import { deadlineMsMax } from "../resilience/deadline.ts";
import type { CallPolicy } from "../resilience/layered-policy.ts";
import { numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Registry } from "../telemetry/registry.ts";
import type { Resolver } from "./endpoint.ts";

export interface ServiceClientOptions extends Partial<ServiceClientLimits> {
  readonly resolver: Resolver;
  /**
   * Deadline, rate limit, retries, circuit, bulkhead and try time-out: a policy, which then may be
   * looked at and shared, or the options of one. Options start from `servicePolicyDefaults`.
   */
  readonly policy?: CallPolicy | CallPolicyOptions;
  readonly balancing?: Omit<BalancerOptions, "random">;
  readonly runtime?: Partial<Runtime>;
  readonly metrics?: Registry;
}

export interface ServiceClientLimits {
  /**
   * The longest wait for an endpoint that takes a call; it outlives a restart of the whole service
   * so. 0: what no listed endpoint takes fails at once, for what a caller can do without. 0 …
   * 600,000, and never longer than the call's deadline.
   */
  readonly holdMs: number;
  /** Calls that wait so at once: 0 … 100,000. */
  readonly heldMax: number;
  /** 1 … 60,000. */
  readonly connectTimeoutMs: number;
  /** Connections to one endpoint: 1 … 10,000. */
  readonly connectionsMax: number;
  /** Connections are made anew after about this long: 1,000 … 86,400,000. */
  readonly connectionAgeMs: number;
  /** Of `request`: 1 … 1 GiB. */
  readonly responseBytesMax: number;
  /**
   * A streamed answer of which nothing comes for so long, or whose reader takes none of what is
   * kept for it, is cut: 1 … 600,000.
   */
  readonly bodyIdleMs: number;
}

export const serviceClientDefaults: ServiceClientLimits = Object.freeze({
  holdMs: deadlineMsMax,
  heldMax: 1_024,
  connectTimeoutMs: 1_000,
  connectionsMax: 256,
  connectionAgeMs: 600_000,
  responseBytesMax: 8 * 1024 * 1024,
  bodyIdleMs: 30_000,
});

/**
 * Where a client's policy differs from `callPolicy` alone. The circuit opens by its rate and not at
 * failures in a row: an instance that dies takes all its calls with it at once, and that says
 * nothing about the others.
 */
export const servicePolicyDefaults: {
  readonly retry: { readonly attemptsMax: number };
  readonly breaker: { readonly consecutiveMax: number };
  readonly bulkhead: { readonly callsMax: number; readonly waitersMax: number };
} = Object.freeze({
  retry: Object.freeze({ attemptsMax: 3 }),
  breaker: Object.freeze({ consecutiveMax: 1_000_000 }),
  bulkhead: Object.freeze({ callsMax: 512, waitersMax: 512 }),
});

const known = [
  ...Object.keys(serviceClientDefaults),
  ...["resolver", "policy", "balancing", "runtime", "metrics"],
];

/** @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN */
export function serviceClientLimits(
  what: string,
  options: Partial<ServiceClientLimits>,
  alsoKnown: readonly string[] = [],
): ServiceClientLimits {
  refuseUnknownKeys(what, options, [...known, ...alsoKnown]);
  const limit = (name: keyof ServiceClientLimits, min: number, max: number): number =>
    numberOption(name, options[name] ?? serviceClientDefaults[name], { min, max });
  return {
    holdMs: limit("holdMs", 0, deadlineMsMax),
    heldMax: limit("heldMax", 0, 100_000),
    connectTimeoutMs: limit("connectTimeoutMs", 1, 60_000),
    connectionsMax: limit("connectionsMax", 1, 10_000),
    connectionAgeMs: limit("connectionAgeMs", 1_000, 86_400_000),
    responseBytesMax: limit("responseBytesMax", 1, 2 ** 30),
    bodyIdleMs: limit("bodyIdleMs", 1, 600_000),
  };
}

/** The policy that was given, or one of its options. @throws TENFOLD_OPTION_INVALID */
export function servicePolicy(
  service: string,
  given: CallPolicy | CallPolicyOptions = {},
  runtime: Partial<Runtime> | undefined,
): CallPolicy {
  if ("withLayer" in given) return given;
  const { retry, breaker, bulkhead } = servicePolicyDefaults;
  return callPolicy({
    name: service,
    ...(runtime && { runtime }),
    ...given,
    retry: given.retry === false ? false : { ...retry, ...given.retry },
    breaker: given.breaker === false ? false : { ...breaker, ...given.breaker },
    bulkhead: given.bulkhead === false ? false : { ...bulkhead, ...given.bulkhead },
  });
}
