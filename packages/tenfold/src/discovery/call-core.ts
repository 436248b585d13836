import type { BalancerOptions } from "../balancing/balancer-options.ts";
import type { CallPolicy } from "../resilience/layered-policy.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Registry } from "../telemetry/registry.ts";
import { type CallMetrics, callMetrics } from "./call-metrics.ts";
import type { Endpoint, Resolver } from "./endpoint.ts";
import { type EndpointPool, endpointPool } from "./endpoint-pool.ts";
import type { Route } from "./exchange.ts";
import type { Hold } from "./hold.ts";
import { answerJudge } from "./http-judgement.ts";
import { pickLayer } from "./pick-layer.ts";

export interface CallCoreOptions {
  readonly service: string;
  readonly resolver: Resolver;
  readonly policy: CallPolicy;
  readonly runtime: Runtime;
  readonly metrics: Registry | undefined;
  readonly balancing: Omit<BalancerOptions, "random"> | undefined;
  readonly hold: Hold;
  readonly holdMs: number;
  readonly routes: {
    route(endpoint: Endpoint, now: number): Route;
    gone(endpoint: Endpoint): void;
  };
}

/** What client, gateway and interceptor call a service by: its endpoints under one policy. */
export interface CallCore {
  readonly service: string;
  readonly runtime: Runtime;
  readonly pool: EndpointPool;
  readonly policy: CallPolicy;
  readonly metrics: CallMetrics;
}

export function callCore(options: CallCoreOptions): CallCore {
  const { service, resolver, runtime, balancing, hold, holdMs, routes } = options;
  const metrics = callMetrics(options.metrics, service);
  const pool = endpointPool({
    service,
    resolver,
    runtime,
    ...(balancing && { balancing }),
    onGone: (endpoint) => routes.gone(endpoint),
  });
  const picks = pickLayer({
    pool,
    metrics,
    hold,
    holdMs,
    route: (endpoint, now) => routes.route(endpoint, now),
  });
  const policy = options.policy.withLayer(picks, { classifyResult: answerJudge(runtime.clock) });
  return { service, runtime, pool, policy, metrics };
}
