import type { BalancerOptions } from "../balancing/balancer-options.ts";
import type { CallContext } from "../resilience/call-layer.ts";
import type { CallPolicyOptions } from "../resilience/call-policy.ts";
import type { Decision } from "../resilience/decision-log.ts";
import type { CallPolicy } from "../resilience/layered-policy.ts";
import { invalidOption } from "../runtime/options.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import type { Registry } from "../telemetry/registry.ts";
import { type CallCore, callCore } from "./call-core.ts";
import { type CallerHandler, callerHandler } from "./caller-handler.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Resolver } from "./endpoint.ts";
import type { AttemptRequest } from "./endpoint-call.ts";
import { sharedRoute } from "./endpoint-connections.ts";
import { hold } from "./hold.ts";
import { callOptions, isIdempotent, withChain } from "./request-parts.ts";
import { RequestStream } from "./request-stream.ts";
import { serviceClientLimits, servicePolicy } from "./service-client-options.ts";
import { StreamedAnswer } from "./streamed-answer.ts";
import { Trip } from "./trip.ts";

export interface ServiceInterceptorOptions {
  /** Requests to the origin of this name are ours: `http://posts/…`. All others pass by. */
  readonly service: string;
  readonly resolver: Resolver;
  /** As for `createServiceClient`. */
  readonly policy?: CallPolicy | CallPolicyOptions;
  readonly balancing?: Omit<BalancerOptions, "random">;
  readonly holdMs?: number;
  readonly heldMax?: number;
  readonly runtime?: Partial<Runtime>;
  readonly metrics?: Registry;
}

/** undici's `dispatch`, of any version. */
type Dispatch = (options: never, handler: never) => boolean;

export interface ServiceInterceptor {
  <D extends Dispatch>(dispatch: D): D;
  /** As of a service client. */
  explain(call?: number): Decision[];
  /** Stops watching the endpoints. The connections are the dispatcher's. Idempotent. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * An undici interceptor for callers who have their own way to make requests: `compose` it on the
 * dispatcher that they have, be it the one built into Node (`builtInDispatcher()`, for the global
 * `fetch`) or one of undici 6, 7 or 8, for `request` and `fetch` of that same copy: a dispatcher of
 * one copy does not work with the `fetch` of another. Requests to `http://SERVICE/` then go to an
 * instance of it, under a policy. An error comes as the cause of what `fetch` rejects with.
 *
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN
 */
export function serviceInterceptor(options: ServiceInterceptorOptions): ServiceInterceptor {
  const { service, resolver, metrics, balancing } = options;
  const limits = serviceClientLimits("serviceInterceptor", options, ["service"]);
  const runtime = runtimeWith(options.runtime);
  const core = callCore({
    service,
    resolver,
    policy: servicePolicy(service, options.policy, options.runtime),
    runtime,
    metrics,
    balancing,
    hold: hold({ heldMax: limits.heldMax, heldBytesMax: Number.POSITIVE_INFINITY }),
    holdMs: limits.holdMs,
    routes: {
      // Its own dispatcher is the one that each request was made with.
      route: (endpoint) => sharedRoute(endpoint, none),
      gone() {},
    },
  });
  const intercept = (dispatch: Dispatch): Dispatch => {
    const over = { dispatch } as unknown as Dispatcher;
    // compose() wants a function of exactly two parameters.
    return (asked: AskedRequest, handler: object): boolean => {
      if (httpHostOf(asked.origin) !== service) return dispatch(asked as never, handler as never);
      new InterceptedRequest(core, over, callerHandler(handler)).start(asked);
      return true;
    };
  };
  const close = async (): Promise<void> => core.pool.close();
  return Object.assign(intercept as ServiceInterceptor, {
    explain: (call?: number) => core.policy.explain(call),
    close,
    [Symbol.asyncDispose]: close,
  });
}

const none: Dispatcher = { dispatch: () => false };

/** What undici's callers give. */
interface AskedRequest {
  readonly origin?: string | URL | null;
  readonly path: string;
  readonly method: string;
  readonly headers?: unknown;
  readonly body?: unknown;
  readonly upgrade?: unknown;
  readonly idempotent?: boolean;
}

class InterceptedRequest {
  readonly #core: CallCore;
  readonly #over: Dispatcher;
  readonly #caller: CallerHandler;
  readonly #gone = new AbortController();
  #answer: StreamedAnswer | undefined;
  #reason: Error | undefined;

  constructor(core: CallCore, over: Dispatcher, caller: CallerHandler) {
    this.#core = core;
    this.#over = over;
    this.#caller = caller;
  }

  start(asked: AskedRequest): void {
    this.#caller.started({
      pause() {},
      resume: () => this.#answer?.resume(),
      abort: (reason) => {
        this.#reason = reason;
        this.#gone.abort(reason);
        this.#answer?.giveUp(reason, "cancelled");
      },
    });
    this.#send(asked).catch((error: unknown) => {
      this.#core.metrics.failed(error);
      this.#caller.failed(this.#reason ?? (error as Error));
    });
  }

  async #send(asked: AskedRequest): Promise<void> {
    const { core, body, headers } = prepared(this.#core, asked);
    const stream = body instanceof RequestStream ? body : undefined;
    const named = Object.fromEntries(pairsOf(headers));
    const idempotent = stream === undefined && isIdempotent({ ...asked, headers: named });
    const trip = new Trip(idempotent, 0, stream?.canSend);
    const run = (context: CallContext): Promise<StreamedAnswer> =>
      new Promise((resolve, reject) => {
        const answer = new StreamedAnswer(core, trip, context.keepPlace(), { resolve, reject });
        const own = { headers: withChain(headers, context), body: stream?.parts() ?? body };
        answer.start({ ...asked, ...own } as AttemptRequest, this.#over);
      });
    const options = callOptions({ signal: this.#gone.signal }, idempotent, trip);
    try {
      this.#hand(await core.policy.run(run, options));
    } catch (error) {
      trip.underWay?.discard();
      throw error;
    } finally {
      trip.end();
    }
  }

  #hand(answer: StreamedAnswer): void {
    this.#answer = answer;
    const caller = this.#caller;
    const { status, headers, statusText } = answer;
    const goesOn = caller.head(status, headers, statusText);
    const reader = {
      data: (chunk: Buffer) => caller.data(chunk),
      end: () => caller.end(),
      failed: (error: Error) => caller.failed(this.#reason ?? error),
    };
    answer.read(reader, goesOn);
  }
}

function prepared(core: CallCore, asked: AskedRequest) {
  if (asked.upgrade || asked.method === "CONNECT") {
    throw invalidOption("upgrade", "a request that can be answered", "an upgrade or CONNECT");
  }
  const { body = null } = asked;
  const isStream = typeof body === "object" && body !== null && Symbol.asyncIterator in body;
  return {
    core,
    headers: headerList(asked.headers),
    body: isStream && !(body instanceof Uint8Array) ? new RequestStream(body as never) : body,
  };
}

/** Names in small letters and values in turn, from any of the forms that undici takes. */
function headerList(headers: unknown): string[] {
  if (headers === undefined || headers === null) return [];
  const isFlat = Array.isArray(headers) && !Array.isArray(headers[0]);
  const entries = isFlat
    ? pairsOf(headers as string[])
    : Symbol.iterator in (headers as object)
      ? [...(headers as Iterable<[string, unknown]>)]
      : Object.entries(headers as object);
  return entries.flatMap(([name, value]) =>
    [value].flat().flatMap((each) => (each === undefined ? [] : [name.toLowerCase(), `${each}`])),
  );
}

function pairsOf(list: readonly string[]): [string, string][] {
  return Array.from({ length: list.length >> 1 }, (_, i): [string, string] => [
    list[i * 2] as string,
    list[i * 2 + 1] as string,
  ]);
}

/** Undefined where it is not plain HTTP: nothing may be sent in clear that was to be encrypted. */
function httpHostOf(origin: string | URL | null | undefined): string | undefined {
  if (origin === undefined || origin === null) return undefined;
  try {
    const { protocol, hostname } = new URL(origin);
    return protocol === "http:" ? hostname : undefined;
  } catch {
    // Whoever it is passed by to says what is wrong with it.
    return undefined;
  }
}
