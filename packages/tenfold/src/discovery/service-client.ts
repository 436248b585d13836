import type { EndpointView } from "../balancing/endpoint-view.ts";
import type { IncomingCall } from "../resilience/call-chain.ts";
import type { CallContext, CallOptions } from "../resilience/call-layer.ts";
import type { StandardPolicy } from "../resilience/call-policy.ts";
import type { Decision } from "../resilience/decision-log.ts";
import type { Answer, Fault } from "../resilience/layered-policy.ts";
import { runtimeWith } from "../runtime/runtime.ts";
import { type CallCore, callCore } from "./call-core.ts";
import { endpointConnections } from "./endpoint-connections.ts";
import { type FetchInit, fetchCall } from "./fetch-call.ts";
import { hold } from "./hold.ts";
import {
  callOptions,
  checkedKey,
  isIdempotent,
  type RequestBody,
  requestHeaders,
  requestTarget,
  sentBody,
  withChain,
} from "./request-parts.ts";
import {
  type ServiceClientLimits,
  type ServiceClientOptions,
  serviceClientLimits,
  servicePolicy,
} from "./service-client-options.ts";
import { type ServiceClientState, serviceClientState } from "./service-client-state.ts";
import type { ServiceReply } from "./service-reply.ts";
import { Trip } from "./trip.ts";
import { WholeAnswer } from "./whole-answer.ts";

export interface ServiceCall {
  readonly method: string;
  /** Starts with "/", already percent-encoded, without query. */
  readonly path: string;
  /** Values are percent-encoded here; undefined ones are left out. */
  readonly query?: Readonly<Record<string, string | number | bigint | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON (bigints as strings); text and bytes as they are. */
  readonly body?: RequestBody;
  /** Milliseconds for the whole call. Default: of the policy. */
  readonly deadlineMs?: number;
  /**
   * For one attempt; raise it for calls that wait at the server. Default: of the policy, and the
   * whole deadline for what is not made twice.
   */
  readonly tryTimeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /**
   * May it be made twice? Default: true for GET, HEAD, OPTIONS, PUT and DELETE, and for calls that
   * carry an `idempotency-key` header.
   */
  readonly idempotent?: boolean;
  /**
   * The request on whose behalf it is made: its deadline and retry signal hold here too. Nothing
   * passes it on by itself: without it the call has the policy's whole deadline and all its
   * retries. The headers that carry it are the client's own, and refused among `headers`.
   */
  readonly incoming?: IncomingCall;
  /**
   * What the call is about, such as a user's id: 1 … 1,024 characters. With a `picking` that has
   * affinity (`boundedHash()`) calls of one key go to one instance as long as that takes them; any
   * other picking looks at no key.
   */
  readonly key?: string;
}

/** Calls the instances of one service, balanced, under one policy. */
export interface ServiceClient {
  /**
   * The answer, read whole within the deadline. Any answer is a result, whatever its status; 502,
   * 503 and 504 once another instance was asked, where that is safe.
   *
   * @throws TENFOLD_DISCOVERY_NO_ENDPOINT when none could be reached in time,
   *   TENFOLD_DISCOVERY_CALL_FAILED (see `retryable`), TENFOLD_RESILIENCE_TRY_TIMEOUT,
   *   TENFOLD_DEADLINE_EXCEEDED, TENFOLD_RESILIENCE_CIRCUIT_OPEN, TENFOLD_RESILIENCE_BULKHEAD_FULL,
   *   TENFOLD_RESILIENCE_RATE_LIMITED, TENFOLD_DISCOVERY_HOLD_FULL,
   *   TENFOLD_DISCOVERY_RESPONSE_TOO_LARGE, TENFOLD_ABORTED, TENFOLD_DISCOVERY_CLOSED,
   *   TENFOLD_OPTION_INVALID
   */
  request(call: ServiceCall): Promise<ServiceReply>;
  /**
   * As `request`, but what fails, is slow, or answers 5xx or 429 is stood in for by `failBack`: for
   * what a caller can do without. What the caller caused (its abort, a bad option) is thrown.
   */
  requestOr<F>(
    call: ServiceCall,
    failBack: (fault: Fault) => F | Promise<F>,
  ): Promise<Answer<ServiceReply, F>>;
  /**
   * The same with the types of the web: a `Response` at the head of the answer, its body as it
   * comes. The deadline holds until then; after that only the caller's signal and `bodyIdleMs`,
   * which a reader that stands still runs into as well. A body that is a stream is sent once: no
   * second attempt after its first part was taken.
   *
   * @param path with query, percent-encoded
   * @throws as `request`, and TENFOLD_DISCOVERY_RESPONSE_INVALID for what no `Response` can be
   */
  fetch(path: string, init?: FetchInit): Promise<Response>;
  /**
   * The last decisions: why this endpoint, why retried, held, turned away or degraded; of one call
   * by the `call` of its reply or fault.
   */
  explain(call?: number): Decision[];
  /** The endpoints as of now, and by what the next call chooses among them. O(n). */
  endpoints(): EndpointView[];
  /**
   * What it has learned of the instances, as JSON: how quick each is, who fails, and the circuit
   * of a policy that it made itself (one that was given is saved by whoever has it). Times are
   * durations, so it holds in another process. Calls under way are not in it.
   */
  save(): ServiceClientState;
  /**
   * Begins with what another client of the service knew: of instances that are the same still, at
   * once, or when the first of them are listed.
   *
   * @param awayMs time between `save` and now, ≥ 0; default 0
   * @throws TENFOLD_BALANCING_STATE_INVALID, TENFOLD_RESILIENCE_STATE_INVALID; nothing is taken
   *   over then
   */
  restore(state: ServiceClientState, awayMs?: number): void;
  /** Cuts what is under way. Idempotent. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * A client of one service over any resolver. From the outside in: deadline, rate limit, retries
 * with a budget, circuit, choice of the endpoint, bulkhead, try time-out.
 *
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN, TENFOLD_RESILIENCE_ORDER_INVALID
 */
export function createServiceClient(service: string, options: ServiceClientOptions): ServiceClient {
  const limits = serviceClientLimits("createServiceClient", options);
  const runtime = runtimeWith(options.runtime);
  const policy = servicePolicy(service, options.policy, options.runtime);
  const connections = endpointConnections(limits, runtime);
  const core = callCore({
    service,
    resolver: options.resolver,
    policy,
    runtime,
    metrics: options.metrics,
    balancing: options.balancing,
    hold: hold({ heldMax: limits.heldMax, heldBytesMax: Number.POSITIVE_INFINITY }),
    holdMs: limits.holdMs,
    routes: connections,
  });
  const close = async (): Promise<void> => {
    core.pool.close();
    connections.close();
  };
  const isOwn = policy !== options.policy;
  const known = serviceClientState(core, isOwn ? (policy as StandardPolicy).breaker : undefined);
  return {
    request(call) {
      return requested(core, limits, call, (run, own) => core.policy.run(run, own));
    },
    requestOr(call, failBack) {
      return requested(core, limits, call, async (run, own) => {
        const answer = await core.policy.runOr(run, failBack, own);
        if (answer.degraded) core.metrics.degraded(answer.reason);
        return answer;
      });
    },
    fetch: (path, init) => fetchCall(core, limits, path, init),
    explain: (call) => core.policy.explain(call),
    endpoints: () => core.pool.view(runtime.clock.now()),
    save: () => known.save(),
    restore: (state, awayMs) => known.restore(state, awayMs),
    close,
    [Symbol.asyncDispose]: close,
  };
}

type Run = (context: CallContext) => Promise<ServiceReply>;

/** Checks and prepares once what all attempts send. */
async function requested<T>(
  core: CallCore,
  limits: ServiceClientLimits,
  call: ServiceCall,
  under: (run: Run, options: CallOptions) => Promise<T>,
): Promise<T> {
  const body = sentBody(call.body);
  const target = requestTarget(call.path, call.query);
  const headers = requestHeaders(call.headers, body);
  const idempotent = isIdempotent(call);
  const trip = new Trip(idempotent, { key: checkedKey(call.key) });
  const run: Run = (context) =>
    new Promise((resolve, reject) => {
      const about = { call: context.call, bytesMax: limits.responseBytesMax };
      const attempt = new WholeAnswer(core, trip, about, { resolve, reject });
      attempt.start({
        method: call.method,
        path: target,
        headers: withChain(headers, context),
        body: body?.bytes ?? null,
      });
    });
  try {
    return await under(run, callOptions(call, idempotent, trip));
  } catch (error) {
    core.metrics.failed(error);
    throw error;
  } finally {
    trip.end();
  }
}
