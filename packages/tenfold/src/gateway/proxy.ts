import type { Agent, ClientRequest, IncomingMessage, ServerResponse } from "node:http";

import { type Attempted, call } from "../discovery/call.ts";
import type { CallMetrics } from "../discovery/call-metrics.ts";
import type { Endpoint } from "../discovery/endpoint.ts";
import type { EndpointPool } from "../discovery/endpoint-pool.ts";
import { type AttemptRequest, httpAttempt } from "../discovery/http-attempt.ts";
import { deadlineAfter, deadlineHeader, formatDeadline } from "../resilience/deadline.ts";
import type { RetryBudget } from "../resilience/retry-budget.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { headerOf } from "./forwarded-headers.ts";
import type { GatewayLimits } from "./gateway-limits.ts";
import type { Hold } from "./hold.ts";
import { type Relayed, relay } from "./relay.ts";

/** One service behind the gateway. */
export interface Upstream {
  readonly pool: EndpointPool;
  readonly budget: RetryBudget;
  readonly metrics: CallMetrics;
}

export interface ProxyContext {
  readonly agent: Agent;
  readonly runtime: Runtime;
  readonly limits: GatewayLimits;
  readonly hold: Hold;
}

/** A request that was checked, and its answer that was not begun. */
export interface ProxyRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly string[];
  readonly body: Pick<AttemptRequest, "body" | "stream">;
  readonly deadlineMs: number;
  /** Fires when the client goes away, or its body turns out too large. */
  readonly signal: AbortSignal;
  readonly response: ServerResponse;
  /** What the gateway adds to the answer; asked when it begins. */
  ownHeaders(): Readonly<Record<string, string>>;
}

interface Answer {
  readonly upstream: ClientRequest;
  readonly response: IncomingMessage;
}

/**
 * Sends the request to an instance, again where that is safe, and passes the answer on.
 *
 * @throws what `call` throws, and TENFOLD_GATEWAY_HOLD_FULL; the answer is not begun then.
 */
export async function proxy(
  context: ProxyContext,
  to: Upstream,
  request: ProxyRequest,
): Promise<Relayed> {
  const { runtime, limits } = context;
  const { clock } = runtime;
  const { value, picked } = await call<Answer>({
    ...to,
    runtime,
    idempotent: mayRepeat(request),
    deadline: deadlineAfter(clock.now(), request.deadlineMs),
    tryTimeoutMs: limits.tryTimeoutMs,
    attemptsMax: limits.attemptsMax,
    signal: request.signal,
    attempt: (endpoint, timeoutMs) => attempt(context, request, endpoint, timeoutMs),
    onHold: () => context.hold.enter(request.body.body?.length ?? limits.bufferBytes),
  });
  try {
    const began = clock.now();
    const relayed = await relay(value.upstream, value.response, request.response, {
      clock,
      idleMs: limits.responseIdleMs,
      ownHeaders: () => request.ownHeaders(),
    });
    if (relayed === "cut") picked.report(clock.now(), "failure", clock.now() - began);
    return relayed;
  } catch (error) {
    value.upstream.destroy();
    throw error;
  } finally {
    picked.release();
  }
}

async function attempt(
  { agent, runtime, limits }: ProxyContext,
  request: ProxyRequest,
  endpoint: Endpoint,
  timeoutMs: number,
): Promise<Attempted<Answer>> {
  const { method, target, headers, body, signal } = request;
  const outcome = await httpAttempt(
    endpoint,
    {
      ...body,
      method,
      target,
      headers: [...headers, deadlineHeader, formatDeadline(timeoutMs)],
    },
    {
      agent,
      clock: runtime.clock,
      connectTimeoutMs: limits.connectTimeoutMs,
      timeoutMs,
      signal,
    },
  );
  if (outcome.kind !== "answered") return outcome;
  const { response, upstream } = outcome;
  const discard = (): void => {
    // Read to its end, so that the connection can be used again; what is long is cut instead.
    response.on("error", () => {});
    if (Number(response.headers["content-length"] ?? Number.POSITIVE_INFINITY) > discardBytesMax) {
      upstream.destroy();
    } else response.resume();
  };
  return {
    kind: "answered",
    status: response.statusCode ?? 0,
    value: { upstream, response },
    discard,
  };
}

const discardBytesMax = 16 * 1024;

/** GET and HEAD by their definition; other methods when their client gave the request a name. */
function mayRepeat({ method, headers, body }: ProxyRequest): boolean {
  if (body.stream !== undefined) return false;
  if (method === "GET" || method === "HEAD") return true;
  return headerOf(headers, "idempotency-key") !== undefined;
}
