import type { BalancerOptions } from "../balancing/balancer-options.ts";
import { type IncomingCall, incomingCall } from "../resilience/call-chain.ts";
import type { CallContext } from "../resilience/call-layer.ts";
import type { CallPolicyOptions } from "../resilience/call-policy.ts";
import type { Decision } from "../resilience/decision-log.ts";
import type { CallPolicy } from "../resilience/layered-policy.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import type { Registry } from "../telemetry/registry.ts";
import { type CallCore, callCore } from "./call-core.ts";
import { type CallerHandler, callerHandler } from "./caller-handler.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Resolver } from "./endpoint.ts";
import type { AttemptRequest } from "./endpoint-call.ts";
import { sharedRoute } from "./endpoint-connections.ts";
import type { Route } from "./exchange.ts";
import { hold } from "./hold.ts";
import { callOptions, chainHeaders, checkedKey, isIdempotent, withChain } from "./request-parts.ts";
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
  /** What a request is about, as `key` of a `ServiceCall`: for a `picking` with affinity. */
  readonly key?: (request: KeyedRequest) => string | undefined;
  readonly holdMs?: number;
  readonly heldMax?: number;
  readonly runtime?: Partial<Runtime>;
  readonly metrics?: Registry;
}

/** What a request's key may be taken from. */
export interface KeyedRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** Names in small letters; of one that came more than once the last. */
  readonly headers: Readonly<Record<string, string>>;
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
 * The headers of a chain (`tenfold-deadline-ms`, `tenfold-attempt`, `tenfold-retry`) that a request
 * carries are read as the `incoming` of its call, so it is enough to pass them on; sent are those
 * of the attempt.
 *
 * An upgrade (a WebSocket) or CONNECT goes to the instance that is picked for it, once there is
 * one; what becomes of it is between the caller and the dispatcher: it has no time-out and no
 * second attempt, and does not count among what the instance has under way.
 *
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN
 */
export function serviceInterceptor(options: ServiceInterceptorOptions): ServiceInterceptor {
  const { service, resolver, metrics, balancing } = options;
  const limits = serviceClientLimits("serviceInterceptor", options, ["service", "key"]);
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
      if (isTunnel(asked)) sendTunnel(core, over, asked, handler);
      else new InterceptedRequest(core, over, callerHandler(handler)).start(asked, options.key);
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

  start(asked: AskedRequest, keyOf: ServiceInterceptorOptions["key"]): void {
    this.#caller.started({
      pause() {},
      resume: () => this.#answer?.resume(),
      abort: (reason) => {
        this.#reason = reason;
        this.#gone.abort(reason);
        this.#answer?.giveUp(reason, "cancelled");
      },
    });
    this.#send(asked, keyOf).catch((error: unknown) => {
      this.#core.metrics.failed(error);
      this.#caller.failed(this.#reason ?? (error as Error));
    });
  }

  async #send(asked: AskedRequest, keyOf: ServiceInterceptorOptions["key"]): Promise<void> {
    const core = this.#core;
    const body = bodyOf(asked);
    const { headers, named, incoming } = headersOf(asked);
    const { method, path } = asked;
    const stream = body instanceof RequestStream ? body : undefined;
    const idempotent = stream === undefined && isIdempotent({ ...asked, headers: named });
    const key = checkedKey(keyOf?.({ method, path, headers: named }));
    const trip = new Trip(idempotent, { canSend: stream?.canSend, key });
    const run = (context: CallContext): Promise<StreamedAnswer> =>
      new Promise((resolve, reject) => {
        const answer = new StreamedAnswer(core, trip, context.keepPlace(), { resolve, reject });
        const own = { headers: withChain(headers, context), body: stream?.parts() ?? body };
        answer.start({ ...asked, ...own } as AttemptRequest, this.#over);
      });
    const about = { signal: this.#gone.signal, ...(incoming && { incoming }) };
    const options = callOptions(about, idempotent, trip);
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

function isTunnel({ upgrade, method }: AskedRequest): boolean {
  return Boolean(upgrade) || method === "CONNECT";
}

/** The policy finds an instance for it; the rest is said to the caller's handler as it is. */
function sendTunnel(core: CallCore, over: Dispatcher, asked: AskedRequest, handler: object): void {
  const trip = new Trip(false);
  const send = (): { readonly status: number } => {
    const { origin } = trip.route as Route;
    trip.picked?.release();
    over.dispatch({ ...asked, origin } as never, handler as never);
    return { status: 101 };
  };
  core.policy
    .run(send, callOptions({}, false, trip))
    .catch((error: unknown) => {
      core.metrics.failed(error);
      callerHandler(handler).failed(error as Error);
    })
    .finally(() => trip.end());
}

function bodyOf({ body = null }: AskedRequest): unknown {
  if (typeof body !== "object" || body === null || body instanceof Uint8Array) return body;
  if (Symbol.asyncIterator in body) return new RequestStream(body as never);
  // An iterator gives its parts once; what is only iterable gives them to every attempt.
  return "next" in body ? new RequestStream(partsOf(body as never)) : body;
}

async function* partsOf(body: Iterable<unknown>): AsyncGenerator<unknown> {
  yield* body;
}

/** What is sent of the headers, and the call that they say the request was made for. */
function headersOf(asked: AskedRequest): {
  readonly headers: readonly string[];
  readonly named: Readonly<Record<string, string>>;
  readonly incoming: IncomingCall | undefined;
} {
  const list = headerList(asked.headers);
  const pairs = pairsOf(list);
  const named = Object.fromEntries(pairs);
  const ofChain = pairs.filter(([name]) => chainHeaders.has(name));
  if (ofChain.length === 0) return { headers: list, named, incoming: undefined };
  const incoming = incomingCall((wanted) => {
    const values = ofChain.filter(([name]) => name === wanted).map(([, value]) => value);
    return values.length === 0 ? undefined : values.join(", ");
  });
  const headers = pairs.filter(([name]) => !chainHeaders.has(name)).flat();
  return { headers, named, incoming };
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
