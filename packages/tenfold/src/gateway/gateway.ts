import { createServer, type Server } from "node:http";
import type { Duplex } from "node:stream";

import type { BalancerOptions } from "../balancing/balancer-options.ts";
import { type CallCore, callCore } from "../discovery/call-core.ts";
import type { Resolver } from "../discovery/endpoint.ts";
import { endpointConnections } from "../discovery/endpoint-connections.ts";
import { hold } from "../discovery/hold.ts";
import { serviceClientDefaults } from "../discovery/service-client-options.ts";
import { callPolicy } from "../resilience/call-policy.ts";
import { deadlineMsMax } from "../resilience/deadline.ts";
import type { CallPolicy } from "../resilience/layered-policy.ts";
import type { Clock } from "../runtime/clock.ts";
import { errorText, TenfoldError } from "../runtime/errors.ts";
import type { SocketAddress } from "../runtime/network.ts";
import { refuseUnknownKeys } from "../runtime/options.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import type { Registry } from "../telemetry/registry.ts";
import { clientConnections } from "./client-connections.ts";
import { type GatewayLimits, gatewayLimits } from "./gateway-limits.ts";
import { gatewayMetrics } from "./gateway-metrics.ts";
import { type OwnAnswer, sendOnSocket } from "./own-answer.ts";
import { requestHandler } from "./request-handler.ts";
import { type Route, routeTable } from "./route-table.ts";

export interface GatewayOptions {
  /** Port 0 takes a free one. */
  readonly listen: SocketAddress;
  readonly routes: readonly Route[];
  readonly resolver: Resolver;
  readonly limits?: Partial<GatewayLimits>;
  readonly balancing?: Omit<BalancerOptions, "random">;
  /**
   * Believe the `X-Forwarded-*` headers of whoever connects? Only behind a proxy that sets them.
   * Default false.
   */
  readonly trustForwarded?: boolean;
  readonly metrics?: Registry;
  readonly runtime?: Partial<Runtime>;
}

/** An HTTP/1.1 reverse proxy over the instances that a resolver lists. */
export interface Gateway {
  readonly address: SocketAddress;
  /** False from the beginning of `close`. */
  readonly ready: boolean;
  /**
   * Answers with `connection: close` for a moment, stops listening, and finishes what is under way
   * for at most `graceMs` (default 10,000), then cuts. Idempotent, never throws.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Clients that speak once more meanwhile learn that the connection ends, and lose nothing. */
const lingerMs = 200;

const sweepMs = 50;

const known = [
  ...["listen", "routes", "resolver", "limits", "balancing"],
  ...["trustForwarded", "metrics", "runtime"],
];

/**
 * Starts a gateway.
 *
 * @throws TENFOLD_GATEWAY_ROUTE_INVALID, TENFOLD_GATEWAY_PORT_TAKEN, TENFOLD_OPTION_INVALID,
 *   TENFOLD_OPTION_UNKNOWN
 */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  refuseUnknownKeys("createGateway", options, known);
  const limits = gatewayLimits(options.limits);
  const runtime = runtimeWith(options.runtime);
  const routes = routeTable(options.routes);
  const connections = endpointConnections(
    {
      connectionsMax: limits.endpointConnectionsMax,
      connectTimeoutMs: limits.connectTimeoutMs,
      connectionAgeMs: serviceClientDefaults.connectionAgeMs,
    },
    runtime,
  );
  const holding = hold(limits);
  const clients = clientConnections();
  const upstreams = new Map<string, CallCore>();
  let stopping = false;
  const server = serverWith(limits);
  const handle = requestHandler({
    runtime,
    limits,
    routes,
    upstreams,
    connections: clients,
    metrics: gatewayMetrics(options.metrics, options.routes, () => holding.count),
    trustForwarded: options.trustForwarded ?? false,
    isStopping: () => stopping,
  });
  server.on("request", handle);
  server.on("checkContinue", handle);
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    // Over an answer that was begun, another one would be read as a part of it.
    if (clients.isAnswering(socket)) socket.end(() => socket.destroy());
    else sendOnSocket(socket, parserAnswer(error));
  });
  server.on("error", (error) => {
    runtime.log.error("the gateway's server failed", { error: errorText(error) });
  });
  const release = (): void => {
    for (const { pool } of upstreams.values()) pool.close();
    connections.close();
  };
  let address: SocketAddress;
  try {
    for (const service of new Set(options.routes.map((route) => route.service))) {
      const core = callCore({
        service,
        resolver: options.resolver,
        policy: upstreamPolicy(service, limits, runtime),
        runtime,
        metrics: options.metrics,
        balancing: options.balancing,
        hold: holding,
        holdMs: deadlineMsMax,
        routes: connections,
      });
      upstreams.set(service, core);
    }
    address = await listen(server, options.listen);
  } catch (error) {
    release();
    throw error;
  }

  const stop = async (graceMs: number): Promise<void> => {
    stopping = true;
    await runtime.clock.sleep(Math.min(lingerMs, graceMs));
    await drained(server, runtime.clock, graceMs);
    release();
  };
  let stopped: Promise<void> | undefined;
  const close: Gateway["close"] = ({ graceMs = 10_000 } = {}) => {
    stopped ??= stop(graceMs);
    return stopped;
  };
  return {
    address,
    get ready() {
      return !stopping;
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}

/**
 * The gateway is nearest to the user: it holds a request rather than turn it away, so there is no
 * circuit; and its own limits bound how many there are, so there is no bulkhead.
 */
function upstreamPolicy(service: string, limits: GatewayLimits, runtime: Runtime): CallPolicy {
  const { deadlineMs, tryTimeoutMs, attemptsMax } = limits;
  return callPolicy({
    name: service,
    runtime,
    deadlineMs,
    tryTimeoutMs,
    retry: { attemptsMax },
    breaker: false,
    bulkhead: false,
  });
}

/** Stops listening; what is under way after `graceMs` is cut. */
async function drained(server: Server, clock: Clock, graceMs: number): Promise<void> {
  const until = clock.now() + graceMs;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  /** Connections whose answer was begun before, and so did not say that it is the last. */
  const sweep = (): void => {
    if (clock.now() >= until) server.closeAllConnections();
    else server.closeIdleConnections();
    timer = clock.setTimer(sweepMs, sweep);
  };
  let timer = clock.setTimer(sweepMs, sweep);
  await closed;
  timer.cancel();
}

function serverWith(limits: GatewayLimits): Server {
  const server = createServer({
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    // Node looks every 30 s otherwise, and slow clients stay that much longer.
    connectionsCheckingInterval: 1_000,
  });
  // One more than allowed is read, so that too many are refused and not silently dropped.
  server.maxHeadersCount = limits.headersMax + 1;
  server.maxConnections = limits.connectionsMax;
  return server;
}

/** What the parser refused, or what took too long, as an answer. */
function parserAnswer(error: NodeJS.ErrnoException): OwnAnswer {
  if (error.code === "HPE_HEADER_OVERFLOW") {
    const message = "The headers are too large.";
    return { status: 431, code: "TENFOLD_GATEWAY_HEADERS_TOO_LARGE", message };
  }
  if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") {
    const message = "The request did not come in time.";
    return { status: 408, code: "TENFOLD_GATEWAY_REQUEST_TOO_SLOW", message };
  }
  const message = "The request was refused: it is no valid HTTP/1.1.";
  return { status: 400, code: "TENFOLD_GATEWAY_REQUEST_INVALID", message };
}

function listen(server: Server, at: SocketAddress): Promise<SocketAddress> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code !== "EADDRINUSE") return reject(cause);
      const message = `${at.host}:${at.port} is taken by another program.`;
      reject(new TenfoldError("TENFOLD_GATEWAY_PORT_TAKEN", message, { cause }));
    });
    server.listen({ host: at.host, port: at.port }, () => {
      const bound = server.address();
      const port = typeof bound === "object" && bound !== null ? bound.port : at.port;
      resolve({ host: at.host, port });
    });
  });
}
