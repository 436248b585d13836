import { createServer, type IncomingMessage } from "node:http";

import { errorText, isTenfoldError, TenfoldError } from "../runtime/errors.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import { exposition, expositionContentType } from "../telemetry/exposition.ts";
import type { Registry } from "../telemetry/registry.ts";
import { errorAnswer } from "./error-answer.ts";
import { listen } from "./http-listen.ts";
import { sendResponse } from "./send-response.ts";
import type { ServiceResponse } from "./service.ts";
import { checkAdminRequest, checkStranger } from "./trust.ts";

export interface AdminServerOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly token: string;
  readonly metrics: Registry;
  /** Why the process is not ready, or undefined when it is. */
  readonly notReady: () => Promise<string | undefined> | string | undefined;
  readonly runtime?: Partial<Runtime>;
}

export interface AdminServer {
  readonly port: number;
  /** Idempotent, never throws. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export const adminServerDefaults: { readonly readyTimeoutMs: number } = Object.freeze({
  /** A readiness check that takes longer counts as not ready. */
  readyTimeoutMs: 1_500,
});

/**
 * The admin port of a process: `GET /healthz` (it answers), `GET /readyz` (it may be sent
 * requests; 503 with the reason otherwise), `GET /metrics` (with the token). Host and Origin are
 * checked for all three.
 *
 * @throws TENFOLD_FLEET_PORT_TAKEN
 */
export async function createAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const { log } = runtimeWith(options.runtime);
  const server = createServer(
    { headersTimeout: 5_000, requestTimeout: 5_000, connectionsCheckingInterval: 1_000 },
    (request, response) => {
      const send = (answer: ServiceResponse): void =>
        sendResponse(response, answer, { "cache-control": "no-store" });
      answerTo(options, request).then(send, (error: unknown) => {
        log.error("an admin request failed", { error });
        send(errorAnswer(error));
      });
    },
  );
  server.maxConnections = 100;
  const port = await listen(server, options.listen);
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
    return closed;
  };
  return { port, close, [Symbol.asyncDispose]: close };
}

async function answerTo(
  options: AdminServerOptions,
  request: IncomingMessage,
): Promise<ServiceResponse> {
  const { method = "GET", headers } = request;
  const { host, origin, authorization } = headers;
  const secFetchSite = headers["sec-fetch-site"];
  const asked = {
    method,
    host,
    origin,
    authorization,
    secFetchSite: Array.isArray(secFetchSite) ? secFetchSite.join() : secFetchSite,
  };
  const ownHosts = [options.listen.host];
  const path = request.url?.split("?", 1)[0];
  const verdict =
    path === "/metrics"
      ? checkAdminRequest(asked, { token: options.token, ownHosts })
      : checkStranger(asked, ownHosts);
  if (!verdict.ok) {
    const { status, code, message } = verdict;
    return { status, body: { error: { code, message } } };
  }
  const known = path === "/healthz" || path === "/readyz" || path === "/metrics";
  if (!known) return refused("TENFOLD_FLEET_ROUTE_UNKNOWN", "Nothing is served at this path.");
  if (method !== "GET" && method !== "HEAD") {
    const answer = refused("TENFOLD_FLEET_METHOD_NOT_ALLOWED", "This path takes GET, HEAD.");
    return { ...answer, headers: { allow: "GET, HEAD" } };
  }
  if (path === "/healthz") return { status: 200, body: { status: "alive" } };
  if (path === "/readyz") return await readiness(options);
  const contentType = { "content-type": expositionContentType };
  return { status: 200, headers: contentType, body: exposition(options.metrics.read()) };
}

async function readiness(options: AdminServerOptions): Promise<ServiceResponse> {
  const { clock } = runtimeWith(options.runtime);
  const tooSlow = Promise.withResolvers<string>();
  const { readyTimeoutMs } = adminServerDefaults;
  const timer = clock.setTimer(readyTimeoutMs, () =>
    tooSlow.resolve(`its check gave no answer within ${readyTimeoutMs} ms`),
  );
  const check = async (): Promise<string | undefined> => await options.notReady();
  const reason = await Promise.race([check().catch(reasonOf), tooSlow.promise]);
  timer.cancel();
  if (reason === undefined) return { status: 200, body: { status: "ready" } };
  return { status: 503, body: { status: "not ready", reason } };
}

/** Whoever asks has no token: the text of an error that nobody foresaw stays inside. */
function reasonOf(error: unknown): string {
  return isTenfoldError(error) ? errorText(error) : "its check failed";
}

function refused(
  code: "TENFOLD_FLEET_ROUTE_UNKNOWN" | "TENFOLD_FLEET_METHOD_NOT_ALLOWED",
  message: string,
): ServiceResponse {
  return errorAnswer(new TenfoldError(code, message));
}
