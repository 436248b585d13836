import type { IncomingMessage, ServerResponse } from "node:http";

import type { CallCore } from "../discovery/call-core.ts";
import { parseDeadline } from "../resilience/deadline.ts";
import { errorText, isTenfoldError } from "../runtime/errors.ts";
import type { Random } from "../runtime/random.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ClientConnections } from "./client-connections.ts";
import { type RequestOrigin, requestHeadersFor, safeRequestId } from "./forwarded-headers.ts";
import type { GatewayLimits } from "./gateway-limits.ts";
import type { GatewayMetrics } from "./gateway-metrics.ts";
import { answerFor, type OwnAnswer, sendOwnAnswer } from "./own-answer.ts";
import { proxy } from "./proxy.ts";
import { readRequestBody } from "./request-body.ts";
import { type CheckedRequest, checkRequest } from "./request-check.ts";
import type { Route, RouteTable } from "./route-table.ts";

export interface HandlerContext {
  readonly runtime: Runtime;
  readonly limits: GatewayLimits;
  readonly routes: RouteTable;
  /** By service. */
  readonly upstreams: ReadonlyMap<string, CallCore>;
  readonly metrics: GatewayMetrics;
  readonly connections: ClientConnections;
  /** Believe `X-Forwarded-For`, `-Proto` and `-Host` of a proxy in front? */
  readonly trustForwarded: boolean;
  isStopping(): boolean;
}

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** Everything that happens to one request: checked, routed, read, passed on, counted. */
export function requestHandler(context: HandlerContext): RequestHandler {
  const { metrics, runtime } = context;
  return (request, response) => {
    if (!context.connections.begin(response)) return;
    const began = runtime.clock.now();
    const gone = new AbortController();
    let route = "none";
    let failed = false;
    response.on("close", () => {
      if (!response.writableFinished) gone.abort();
      const status = response.headersSent ? response.statusCode : 0;
      metrics.answered(route, request.method ?? "", status, runtime.clock.now() - began);
      if (failed || status >= 500) metrics.failed(route);
    });
    const serve = async (): Promise<void> => {
      const routed = routeOf(context, request);
      route = routed.route?.path ?? "none";
      if (!routed.ok) return answer(context, response, routed.answer);
      failed = (await passOn(context, routed, request, response, gone)) === "cut";
    };
    serve().catch((error: unknown) => {
      runtime.log.error("a request failed in the gateway", { error });
      const message = "The gateway failed; see its log.";
      answer(context, response, { status: 500, code: "TENFOLD_INTERNAL", message, close: true });
    });
  };
}

type Routed =
  | { readonly ok: true; readonly route: Route; readonly request: CheckedRequest }
  | { readonly ok: false; readonly route?: Route; readonly answer: OwnAnswer };

function routeOf(context: HandlerContext, request: IncomingMessage): Routed {
  const { method = "", url = "", httpVersion, rawHeaders } = request;
  const checked = checkRequest({ method, url, httpVersion, rawHeaders }, context.limits.headersMax);
  if (!checked.ok) {
    const { status, reason } = checked;
    const code =
      status === 431 ? "TENFOLD_GATEWAY_HEADERS_TOO_LARGE" : "TENFOLD_GATEWAY_REQUEST_INVALID";
    const message = `The request was refused: ${reason}.`;
    return { ok: false, answer: { status, code, message, close: true } };
  }
  const { path } = checked.request;
  const route = context.routes.find(path);
  if (route === undefined) {
    const message = "The gateway has no route for this path.";
    return { ok: false, answer: { status: 404, code: "TENFOLD_GATEWAY_ROUTE_UNKNOWN", message } };
  }
  // TRACE would show a script the headers that it must not see.
  const allowed = route.methods?.includes(method) ?? (method !== "TRACE" && method !== "CONNECT");
  if (allowed) return { ok: true, route, request: checked.request };
  return {
    ok: false,
    route,
    answer: {
      status: 405,
      code: "TENFOLD_GATEWAY_METHOD_REFUSED",
      message: `The route ${route.path} does not take ${method}.`,
      headers: {
        allow: (route.methods ?? ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]).join(
          ", ",
        ),
      },
    },
  };
}

async function passOn(
  context: HandlerContext,
  { route, request: checked }: Routed & { ok: true },
  request: IncomingMessage,
  response: ServerResponse,
  gone: AbortController,
): Promise<"whole" | "cut" | "gone"> {
  const { limits, runtime } = context;
  const origin = originOf(context, checked, request);
  const refuse = (own: OwnAnswer): "whole" => {
    answer(context, response, own, origin.requestId);
    return "whole";
  };
  const deadlineMs = deadlineOf(checked, route.deadlineMs ?? limits.deadlineMs);
  if (typeof deadlineMs !== "number") return refuse(deadlineMs);
  const bodyBytesMax = route.bodyBytesMax ?? limits.bodyBytesMax;
  const tooLarge = (): "whole" => refuse(tooLargeAnswer(bodyBytesMax));
  if (
    checked.headers.has("expect") &&
    !(Number(checked.headers.get("content-length")) > bodyBytesMax)
  ) {
    response.writeContinue();
  }
  const body = await readRequestBody(request, { ...limits, bodyBytesMax }, () => {
    tooLarge();
    gone.abort();
  });
  if (body.kind === "tooLarge") return tooLarge();
  if (body.kind === "gone") return "gone";
  const upstream = context.upstreams.get(route.service) as CallCore;
  const headers = requestHeadersFor(request.rawHeaders, origin);
  if (body.kind === "stream" && body.bytes !== undefined) {
    headers.push("content-length", String(body.bytes));
  }
  try {
    return await proxy(upstream, limits, {
      method: request.method as string,
      target: checked.target,
      headers,
      body: body.kind === "whole" ? body.bytes : body.stream,
      deadlineMs,
      signal: gone.signal,
      response,
      ownHeaders() {
        // Answered before its body was read: what follows on the connection is not awaited.
        const isEarly = !request.complete;
        if (isEarly) context.connections.condemn(request.socket);
        const isLast = isEarly || context.isStopping();
        return { "x-request-id": origin.requestId, ...(isLast && { connection: "close" }) };
      },
    });
  } catch (error) {
    if (gone.signal.aborted) return "gone";
    const own = answerFor(error, route.service);
    runtime.log.warn("a request failed", {
      requestId: origin.requestId,
      route: route.path,
      status: own.status,
      code: isTenfoldError(error) ? error.code : undefined,
      reason: errorText(error),
    });
    // The rest of a streamed body would be taken for the next request.
    return refuse({ ...own, close: body.kind === "stream" });
  }
}

function answer(
  context: HandlerContext,
  response: ServerResponse,
  own: OwnAnswer,
  requestId?: string,
): void {
  const close = own.close === true || context.isStopping();
  if (own.close) context.connections.condemn(response.req.socket);
  sendOwnAnswer(response, { ...own, close }, { clock: context.runtime.clock, requestId });
}

function tooLargeAnswer(bodyBytesMax: number): OwnAnswer {
  const message = `The body is larger than ${bodyBytesMax} bytes.`;
  return { status: 413, code: "TENFOLD_GATEWAY_BODY_TOO_LARGE", message, close: true };
}

/** The route's deadline; a client may shorten it. */
function deadlineOf(checked: CheckedRequest, limitMs: number): number | OwnAnswer {
  try {
    return Math.min(limitMs, parseDeadline(checked.headers.get("tenfold-deadline-ms")) ?? limitMs);
  } catch (error) {
    const code = "TENFOLD_GATEWAY_REQUEST_INVALID";
    return { status: 400, code, message: errorText(error), close: true };
  }
}

function originOf(
  context: HandlerContext,
  { headers, host }: CheckedRequest,
  request: IncomingMessage,
): RequestOrigin {
  // The proxy may add lines of its own behind those of its client.
  const trusted = (name: string): readonly string[] | undefined =>
    context.trustForwarded ? request.headersDistinct[name] : undefined;
  return {
    requestId: safeRequestId(headers.get("x-request-id")) ?? newRequestId(context.runtime.random),
    remoteAddress: request.socket.remoteAddress ?? "unknown",
    host: trusted("x-forwarded-host")?.at(-1) ?? host,
    forwardedFor: trusted("x-forwarded-for")?.join(", "),
    forwardedProto: trusted("x-forwarded-proto")?.at(-1),
  };
}

/** 128 bits in hexadecimal. */
function newRequestId(random: Pick<Random, "below">): string {
  const word = (): string =>
    random
      .below(2 ** 32)
      .toString(16)
      .padStart(8, "0");
  return word() + word() + word() + word();
}
