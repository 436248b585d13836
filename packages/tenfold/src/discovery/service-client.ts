import type { BalancerOptions } from "../balancing/balancer-options.ts";
import { deadlineAfter, deadlineHeader, formatDeadline } from "../resilience/deadline.ts";
import { isIdempotentMethod } from "../resilience/retry.ts";
import { type RetryBudgetOptions, retryBudget } from "../resilience/retry-budget.ts";
import { TenfoldError } from "../runtime/errors.ts";
import { numberOption } from "../runtime/options.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import type { Registry } from "../telemetry/registry.ts";
import { type Attempted, call } from "./call.ts";
import { callMetrics } from "./call-metrics.ts";
import type { Endpoint, Resolver } from "./endpoint.ts";
import { endpointPool } from "./endpoint-pool.ts";
import { httpAttempt } from "./http-attempt.ts";
import { closeIdle, keepAliveAgent } from "./keep-alive-agent.ts";
import {
  type RequestBody,
  requestHeaders,
  requestTarget,
  type SentBody,
  sentBody,
} from "./request-parts.ts";
import { collectBody, type ServiceReply, serviceReply } from "./service-reply.ts";

export interface ServiceClientOptions extends Partial<ServiceClientLimits> {
  readonly resolver: Resolver;
  readonly runtime?: Partial<Runtime>;
  readonly metrics?: Registry;
  readonly balancing?: Omit<BalancerOptions, "random">;
  readonly retryBudget?: RetryBudgetOptions;
}

export interface ServiceClientLimits {
  /** For a whole call, waiting and retries included: 1 … 600,000. */
  readonly deadlineMs: number;
  /** For one attempt of a call that may be repeated: 1 … 600,000. */
  readonly tryTimeoutMs: number;
  /** 1 … 60,000. */
  readonly connectTimeoutMs: number;
  /** Attempts of one call that reach a server: 1 … 10. */
  readonly attemptsMax: number;
  /** Calls under way at once: 1 … 100,000. */
  readonly callsMax: number;
  /** Connections to one endpoint: 1 … 10,000. */
  readonly connectionsMax: number;
  /** 1 … 1 GiB. */
  readonly responseBytesMax: number;
}

export const serviceClientDefaults: ServiceClientLimits = Object.freeze({
  deadlineMs: 5_000,
  tryTimeoutMs: 2_000,
  connectTimeoutMs: 1_000,
  attemptsMax: 3,
  callsMax: 1_024,
  connectionsMax: 128,
  responseBytesMax: 8 * 1024 * 1024,
});

export interface ServiceCall {
  readonly method: string;
  /** Starts with "/", already percent-encoded, without query. */
  readonly path: string;
  /** Values are percent-encoded here; undefined ones are left out. */
  readonly query?: Readonly<Record<string, string | number | bigint | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON (bigints as strings); text and bytes as they are. */
  readonly body?: RequestBody;
  /** Milliseconds for the whole call. Default `deadlineMs` of the client. */
  readonly deadlineMs?: number;
  /** Default `tryTimeoutMs` of the client; raise it for calls that wait at the server. */
  readonly tryTimeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /**
   * May it be made twice? Default: true for GET, HEAD, OPTIONS, PUT and DELETE, and for calls that
   * carry an `idempotency-key` header.
   */
  readonly idempotent?: boolean;
}

/** Calls the instances of one service: balanced, with deadlines, retries within a budget. */
export interface ServiceClient {
  /**
   * Any answer of the service is a result, whatever its status.
   *
   * @throws TENFOLD_DISCOVERY_NO_ENDPOINT when none could be reached until the deadline,
   *   TENFOLD_DISCOVERY_CALL_FAILED (see `retryable`), TENFOLD_DEADLINE_EXCEEDED,
   *   TENFOLD_DISCOVERY_RESPONSE_TOO_LARGE, TENFOLD_DISCOVERY_CALLS_EXCEEDED, TENFOLD_ABORTED,
   *   TENFOLD_DISCOVERY_CLOSED, TENFOLD_OPTION_INVALID
   */
  request(call: ServiceCall): Promise<ServiceReply>;
  /** Cuts what is under way. Idempotent. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * A client of one service over any resolver.
 *
 * @throws TENFOLD_OPTION_INVALID
 */
export function createServiceClient(service: string, options: ServiceClientOptions): ServiceClient {
  const limits = checked(options);
  const runtime = runtimeWith(options.runtime);
  const { clock } = runtime;
  const agent = keepAliveAgent(limits.connectionsMax);
  const pool = endpointPool({
    service,
    resolver: options.resolver,
    runtime,
    ...(options.balancing && { balancing: options.balancing }),
    onGone: (endpoint) => closeIdle(agent, endpoint),
  });
  const budget = retryBudget(options.retryBudget);
  const metrics = callMetrics(options.metrics, service);
  let calls = 0;

  const attemptOf = (sent: ServiceCall, body: SentBody | undefined) => {
    const target = requestTarget(sent.path, sent.query);
    const headers = requestHeaders(sent.headers, body);
    return async (
      endpoint: Endpoint,
      timeoutMs: number,
      attempt: number,
    ): Promise<Attempted<ServiceReply>> => {
      const until = clock.now() + timeoutMs;
      const { connectTimeoutMs } = limits;
      const { method, signal } = sent;
      const outcome = await httpAttempt(
        endpoint,
        {
          method,
          target,
          headers: [...headers, deadlineHeader, formatDeadline(timeoutMs)],
          body: body?.bytes,
        },
        { agent, clock, connectTimeoutMs, timeoutMs, signal },
      );
      if (outcome.kind !== "answered") return outcome;
      const { response } = outcome;
      const collected = await collectBody(response, {
        bytesMax: limits.responseBytesMax,
        timeoutMs: Math.max(1, until - clock.now()),
        clock,
        signal,
      });
      if (collected.kind !== "whole") return collected;
      const value = serviceReply(response, collected.bytes, endpoint, attempt);
      return { kind: "answered", status: value.status, value, discard() {} };
    };
  };
  const request = async (sent: ServiceCall): Promise<ServiceReply> => {
    const body = sentBody(sent.body);
    const result = await call({
      pool,
      budget,
      metrics,
      runtime,
      idempotent: isIdempotent(sent),
      deadline: deadlineAfter(clock.now(), sent.deadlineMs ?? limits.deadlineMs),
      tryTimeoutMs: sent.tryTimeoutMs ?? limits.tryTimeoutMs,
      attemptsMax: limits.attemptsMax,
      signal: sent.signal,
      attempt: attemptOf(sent, body),
    });
    result.picked.release();
    return result.value;
  };
  const close = async (): Promise<void> => {
    pool.close();
    agent.destroy();
  };
  return {
    async request(sent) {
      if (calls >= limits.callsMax) throw tooManyCalls(service, limits.callsMax);
      calls++;
      try {
        return await request(sent);
      } finally {
        calls--;
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function isIdempotent({ method, headers, idempotent }: ServiceCall): boolean {
  if (idempotent !== undefined) return idempotent;
  if (isIdempotentMethod(method)) return true;
  return Object.keys(headers ?? {}).some((name) => name.toLowerCase() === "idempotency-key");
}

function tooManyCalls(service: string, callsMax: number): TenfoldError {
  return new TenfoldError(
    "TENFOLD_DISCOVERY_CALLS_EXCEEDED",
    `${callsMax} calls to ${service} are under way, which is the limit.`,
    { retryable: true, details: { service, callsMax } },
  );
}

function checked(options: ServiceClientOptions): ServiceClientLimits {
  const limit = (name: keyof ServiceClientLimits, max: number): number =>
    numberOption(name, options[name] ?? serviceClientDefaults[name], { min: 1, max });
  return {
    deadlineMs: limit("deadlineMs", 600_000),
    tryTimeoutMs: limit("tryTimeoutMs", 600_000),
    connectTimeoutMs: limit("connectTimeoutMs", 60_000),
    attemptsMax: limit("attemptsMax", 10),
    callsMax: limit("callsMax", 100_000),
    connectionsMax: limit("connectionsMax", 10_000),
    responseBytesMax: limit("responseBytesMax", 2 ** 30),
  };
}
