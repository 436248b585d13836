import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";

import { incomingCall } from "../resilience/call-chain.ts";
import type { ErrorCode } from "../runtime/error-codes.ts";
import { TenfoldError } from "../runtime/errors.ts";
import { refuseUnknownKeys } from "../runtime/options.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import type { Registry } from "../telemetry/registry.ts";
import { errorAnswer } from "./error-answer.ts";
import { listen } from "./http-listen.ts";
import { httpMetrics } from "./http-metrics.ts";
import { readJson } from "./json-body.ts";
import { compileRoutes, type RouteMatch } from "./router.ts";
import { sendResponse } from "./send-response.ts";
import { isTextStream, sendStream } from "./send-stream.ts";
import type { ServiceHandler, ServiceRequest, ServiceResponse, ServiceRoutes } from "./service.ts";

export interface HttpLimits {
  readonly bodyBytesMax: number;
  readonly headerBytesMax: number;
  /** Requests under way at once; more are answered 503. */
  readonly requestsMax: number;
  readonly connectionsMax: number;
  /** How long a handler may take; a caller's deadline only makes it shorter. */
  readonly handlerMs: number;
  /** For a request's headers, and for the request as a whole, to come in. */
  readonly headersMs: number;
  readonly requestMs: number;
  /** How long an idle connection is kept; longer than every client of ours keeps it. */
  readonly keepAliveMs: number;
}

export const httpServiceDefaults: HttpLimits = Object.freeze({
  bodyBytesMax: 65_536,
  headerBytesMax: 16_384,
  requestsMax: 1_000,
  connectionsMax: 10_000,
  /** Longer than a queue's longest wait for a message. */
  handlerMs: 65_000,
  headersMs: 10_000,
  requestMs: 30_000,
  keepAliveMs: 75_000,
});

export interface HttpServiceOptions {
  /** Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly routes: ServiceRoutes;
  readonly metrics: Registry;
  readonly limits?: Partial<HttpLimits>;
  readonly runtime?: Partial<Runtime>;
}

/** An HTTP server over a service's routes. */
export interface HttpService {
  readonly port: number;
  /** Requests that are being served. */
  readonly underWay: number;
  /** Goes on serving, and asks every caller to connect elsewhere next time. */
  drain(): void;
  /**
   * Stops accepting and lets requests under way finish for up to `graceMs` (default 10,000); then
   * cuts them. Idempotent, never throws.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Serves routes over HTTP/1.1, each measured by its pattern. What comes in is checked before a
 * handler sees it; an error is answered once, by `errorAnswer`.
 *
 * @throws TENFOLD_FLEET_ROUTE_INVALID, TENFOLD_OPTION_UNKNOWN, TENFOLD_FLEET_PORT_TAKEN
 */
export async function createHttpService(options: HttpServiceOptions): Promise<HttpService> {
  refuseUnknownKeys("limits", options.limits ?? {}, Object.keys(httpServiceDefaults));
  const limits = { ...httpServiceDefaults, ...options.limits };
  const { clock, log } = runtimeWith(options.runtime);
  const core = new HttpCore(options, limits);
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: 1_000,
      noDelay: true,
    },
    (request, response) => void core.serve(request, response),
  );
  server.maxConnections = limits.connectionsMax;
  server.on("clientError", refuseConnection);
  const port = await listen(server, options.listen);

  let closed: Promise<void> | undefined;
  const close = ({ graceMs = 10_000 } = {}): Promise<void> => {
    core.draining = true;
    closed ??= new Promise((resolve) => {
      const cut = clock.setTimer(graceMs, () => {
        log.warn("requests were cut at the end of the grace period", { count: core.underWay });
        server.closeAllConnections();
      });
      server.close(() => {
        cut.cancel();
        resolve();
      });
    });
    return closed;
  };
  return {
    port,
    get underWay() {
      return core.underWay;
    },
    drain() {
      core.draining = true;
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}

class HttpCore {
  draining = false;
  underWay = 0;
  readonly #limits: HttpLimits;
  readonly #runtime: Runtime;
  readonly #router: ReturnType<typeof compileRoutes<ServiceHandler>>;
  readonly #metrics: ReturnType<typeof httpMetrics>;

  constructor(options: HttpServiceOptions, limits: HttpLimits) {
    this.#limits = limits;
    this.#runtime = runtimeWith(options.runtime);
    this.#router = compileRoutes(options.routes);
    this.#metrics = httpMetrics(options.metrics);
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { clock, log } = this.#runtime;
    const { method = "GET", headers } = request;
    const target = splitTarget(request.url ?? "/");
    const match = this.#router.match(method, target.path);
    const route = match.kind === "found" ? match.pattern : "none";
    const id = safeRequestId(headers["x-request-id"]) ?? this.#newRequestId();
    headers["x-request-id"] = id;

    const beganAt = clock.now();
    let waitedMs = 0;
    this.underWay += 1;
    this.#metrics.begin();
    const gone = new AbortController();
    response.once("close", () => {
      this.underWay -= 1;
      const status = response.writableFinished ? response.statusCode : 499;
      const seconds = Math.max(0, clock.now() - beganAt - waitedMs) / 1_000;
      this.#metrics.end({ route, method, status, seconds });
      if (!response.writableFinished) gone.abort(callerGone());
    });
    try {
      const answer = await this.#answer(request, match, target, gone);
      waitedMs = answer.waitedMs ?? 0;
      this.#send(response, id, answer);
    } catch (error) {
      const answer = errorAnswer(error);
      // That its caller went away is no failure of the handler that heeds it: metrics say 499.
      const isFailure = answer.unexpected && error !== gone.signal.reason;
      if (isFailure) log.error("a request failed", { requestId: id, route, error });
      this.#send(response, id, answer);
    }
  }

  /** The handler's response; rejects when the caller's or our own deadline passes first. */
  async #answer(
    request: IncomingMessage,
    match: RouteMatch<ServiceHandler>,
    target: Target,
    gone: AbortController,
  ): Promise<ServiceResponse> {
    if (match.kind !== "found") return refusal(match);
    if (this.underWay > this.#limits.requestsMax) throw busy();
    const { clock } = this.#runtime;
    const incoming = incomingCall((name) => headerOf(request, name));
    const { handlerMs } = this.#limits;
    const timeoutMs = Math.min(incoming.remainingMs ?? handlerMs, handlerMs);
    const endsAt = clock.now() + timeoutMs;
    const timer = clock.setTimer(timeoutMs, () => gone.abort(tooLate(timeoutMs)), {
      keepAlive: false,
    });
    const { signal } = gone;
    const serviceRequest: ServiceRequest = {
      method: request.method ?? "GET",
      path: target.path,
      params: match.params,
      query: new URLSearchParams(target.query),
      headers: request.headers,
      signal,
      remainingMs: () => Math.max(0, endsAt - clock.now()),
      incoming,
      json: () => readJson(request, { bodyBytesMax: this.#limits.bodyBytesMax, signal }),
    };
    try {
      return await raceAbort(() => match.handler(serviceRequest), signal);
    } finally {
      timer.cancel();
    }
  }

  #send(response: ServerResponse, requestId: string, answer: ServiceResponse): void {
    if (response.destroyed || response.headersSent) return;
    const extra: Record<string, string> = {
      "x-request-id": requestId,
      "x-content-type-options": "nosniff",
    };
    if (this.draining) extra.connection = "close";
    if (!isTextStream(answer.body)) {
      sendResponse(response, answer, extra);
      return;
    }
    const { clock, log } = this.#runtime;
    sendStream(response, answer, answer.body, { extra, clock }).catch((error: unknown) => {
      log.error("a stream failed", { requestId, error });
      response.destroy();
    });
  }

  #newRequestId(): string {
    const { random } = this.#runtime;
    const half = (): string =>
      random
        .below(2 ** 32)
        .toString(16)
        .padStart(8, "0");
    return half() + half();
  }
}

interface Target {
  readonly path: string;
  readonly query: string;
}

/** Splits a request target; RFC 9112 also allows the absolute form. */
function splitTarget(url: string): Target {
  const origin = url.replace(/^https?:\/\/[^/?#]*/i, "");
  const at = origin.indexOf("?");
  if (at === -1) return { path: origin === "" ? "/" : origin, query: "" };
  return { path: origin.slice(0, at), query: origin.slice(at + 1) };
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join() : value;
}

/** A caller's id is taken over when it can stand in a log as it is. */
function safeRequestId(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" && /^[\w.:/+=-]{1,128}$/.test(value) ? value : undefined;
}

function raceAbort<Value>(run: () => Promise<Value> | Value, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const running = (async () => await run())();
    running.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function refusal(match: Exclude<RouteMatch<unknown>, { kind: "found" }>): ServiceResponse {
  switch (match.kind) {
    case "malformed":
      throw new TenfoldError("TENFOLD_FLEET_REQUEST_INVALID", "The path is not well-formed.");
    case "unknown":
      throw new TenfoldError("TENFOLD_FLEET_ROUTE_UNKNOWN", "Nothing is served at this path.");
    case "method": {
      const allow = match.allow.join(", ");
      const message = `This path takes ${allow}.`;
      const error = new TenfoldError("TENFOLD_FLEET_METHOD_NOT_ALLOWED", message);
      return { ...errorAnswer(error), headers: { allow } };
    }
  }
}

/** What Node could not parse, or did not get in time, answered in our form on the bare socket. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const tooSlow = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
  const status = tooSlow ? 408 : error.code === "HPE_HEADER_OVERFLOW" ? 431 : 400;
  const code: ErrorCode = "TENFOLD_FLEET_REQUEST_INVALID";
  const message = tooSlow ? "The request did not come in in time." : "This is no HTTP request.";
  const body = JSON.stringify({ error: { code, message } });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\n` +
      `content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
}

function callerGone(): TenfoldError {
  return new TenfoldError("TENFOLD_ABORTED", "The caller went away before the answer.");
}

function tooLate(timeoutMs: number): TenfoldError {
  const message = `The request took more than the ${timeoutMs} ms that it had.`;
  return new TenfoldError("TENFOLD_DEADLINE_EXCEEDED", message, { retryable: true });
}

function busy(): TenfoldError {
  const message = "Too many requests are under way.";
  return new TenfoldError("TENFOLD_FLEET_BUSY", message, { retryable: true });
}
