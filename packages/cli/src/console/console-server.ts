import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { isTenfoldError, type Log, TenfoldError } from "tenfold/runtime";

import { type ConsoleGuard, consoleGuard, type Refusal } from "./console-guard.ts";
import type { ConsoleState } from "./console-state.ts";
import { eventStream } from "./event-stream.ts";
import type { Change } from "./fleet-view.ts";
import { loginPage, loginStyle } from "./login-page.ts";
import { readForm, readJson } from "./request-body.ts";
import type { Asset } from "./static-assets.ts";

export interface ConsoleServerOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly token: string;
  readonly state: (since?: Change) => ConsoleState;
  readonly actions: ConsoleActions;
  readonly assets: ReadonlyMap<string, Asset>;
  readonly log: Log;
}

export interface ConsoleActions {
  kill(instance: string): Promise<void>;
  restart(service: string): Promise<void>;
  /** Takes a setting's change back, if it is still the last one. */
  undo(setting: string, change: number): Promise<void>;
}

export interface ConsoleServer {
  readonly port: number;
  /** Sends what is new to every open page. */
  push(): void;
  /** Idempotent. */
  close(): Promise<void>;
}

const securityHeaders = {
  "content-security-policy":
    "default-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  "x-content-type-options": "nosniff",
  // With "no-referrer" a browser names the origin of the login form "null".
  "referrer-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
} as const;

const nameMax = 200;

/** What one request is answered from. */
interface Desk extends ConsoleServerOptions {
  readonly guard: ConsoleGuard;
  readonly stream: ReturnType<typeof eventStream>;
}

/**
 * The console over HTTP. Every route checks Host and Origin, and wants the token as Bearer or by
 * the cookie that `/?token=` and the login page set; only the login page itself does without.
 */
export async function createConsoleServer(options: ConsoleServerOptions): Promise<ConsoleServer> {
  const stream = eventStream();
  let desk: Desk | undefined;
  const server = createServer(
    { headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 1_000 },
    (request, response) => {
      for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value);
      answer(desk as Desk, request, response).catch((error: unknown) => {
        if (response.headersSent) response.destroy();
        else sendError(options.log, response, error);
      });
    },
  );
  server.maxConnections = 256;
  const { host, port: wanted } = options.listen;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(wanted, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const ownHosts = [...new Set([host, "127.0.0.1", "localhost"])].map((name) => `${name}:${port}`);
  desk = { ...options, stream, guard: consoleGuard(options.token, port, ownHosts) };

  let told: Change = { newerThanMs: 0, afterEvent: 0 };
  let closed: Promise<void> | undefined;
  return {
    port,
    push() {
      const state = options.state(told);
      told = {
        newerThanMs: state.history.at(-1)?.timeMs ?? told.newerThanMs,
        afterEvent: state.events.at(-1)?.number ?? told.afterEvent,
      };
      if (stream.size > 0) stream.send(JSON.stringify(state));
    },
    close() {
      closed ??= new Promise((resolve) => {
        stream.close();
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return closed;
    },
  };
}

async function answer(
  desk: Desk,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { guard, assets, actions, stream, state } = desk;
  const url = urlOf(request);
  const route = `${request.method} ${url.pathname}`;
  const stranger = guard.refusalOfStranger(request);
  if (stranger !== undefined) return sendRefusal(response, stranger);
  if (route === "POST /login") return login(desk, response, (await readForm(request)).get("token"));
  if (route === "GET /login.css")
    return send(response, 200, loginStyle, { "content-type": "text/css" });
  if (route === "GET /" && url.searchParams.has("token")) {
    return login(desk, response, url.searchParams.get("token"));
  }
  const refused = guard.refusal(request);
  if (refused !== undefined) {
    return route === "GET /" ? sendLogin(response, undefined) : sendRefusal(response, refused);
  }
  switch (route) {
    case "GET /api/state.json":
      return sendJson(response, 200, state());
    case "GET /api/stream":
      if (stream.add(response, JSON.stringify(state()))) return;
      throw new TenfoldError("TENFOLD_CONSOLE_BUSY", "Too many pages are open.");
    case "POST /api/kill":
      await actions.kill(await nameIn(request, "instance"));
      return sendJson(response, 202, {});
    case "POST /api/restart":
      await actions.restart(await nameIn(request, "service"));
      return sendJson(response, 202, {});
    case "POST /api/settings/undo":
      await undoSetting(actions, await readJson(request));
      return sendJson(response, 200, {});
  }
  const asset = request.method === "GET" ? assets.get(url.pathname) : undefined;
  if (asset !== undefined) return sendAsset(response, asset);
  if (route === "GET /") {
    throw new TenfoldError("TENFOLD_CONSOLE_NOT_BUILT", "The console's page was not built.");
  }
  const message = `The console has no ${route.slice(0, nameMax)}.`;
  throw new TenfoldError("TENFOLD_CONSOLE_NOT_FOUND", message);
}

/** The target as a path, also where it looks like an address: `//name/` is no host of ours. */
function urlOf({ url = "/" }: IncomingMessage): URL {
  if (url.startsWith("/")) return new URL(`http://console${url}`);
  throw new TenfoldError("TENFOLD_CONSOLE_REQUEST_INVALID", "The request must name a path.");
}

function login({ guard }: Desk, response: ServerResponse, token: string | null): void {
  if (token === null || !guard.isToken(token)) {
    sendLogin(response, "This is not the token of this fleet.");
  } else {
    send(response, 303, "", { location: "/", "set-cookie": guard.cookie });
  }
}

async function undoSetting(actions: ConsoleActions, body: unknown): Promise<void> {
  const { change } = Object(body) as { readonly change?: unknown };
  if (!Number.isSafeInteger(change)) {
    const message = "The body must name the change to undo, by its number.";
    throw new TenfoldError("TENFOLD_CONSOLE_REQUEST_INVALID", message);
  }
  await actions.undo(nameOf(body, "name"), change as number);
}

async function nameIn(request: IncomingMessage, key: string): Promise<string> {
  return nameOf(await readJson(request), key);
}

function nameOf(body: unknown, key: string): string {
  const name = (Object(body) as Record<string, unknown>)[key];
  if (typeof name === "string" && name !== "" && name.length <= nameMax) return name;
  throw new TenfoldError("TENFOLD_CONSOLE_REQUEST_INVALID", `The body must name the ${key}.`);
}

const statusOf: Readonly<Record<string, number>> = {
  TENFOLD_CONSOLE_REQUEST_INVALID: 400,
  TENFOLD_CONSOLE_NOT_FOUND: 404,
  TENFOLD_CONSOLE_BUSY: 503,
  TENFOLD_CONSOLE_NOT_BUILT: 503,
  TENFOLD_CONSOLE_SOURCE_FAILED: 502,
  TENFOLD_FLAGS_SETTING_UNKNOWN: 404,
  TENFOLD_FLAGS_NOTHING_TO_UNDO: 409,
  TENFOLD_FLAGS_CHANGED_MEANWHILE: 409,
  TENFOLD_COORDINATION_UNAVAILABLE: 502,
};

function sendError(log: Log, response: ServerResponse, error: unknown): void {
  const status = isTenfoldError(error) ? statusOf[error.code] : undefined;
  if (isTenfoldError(error) && status !== undefined) {
    sendRefusal(response, { status, code: error.code, message: error.message });
  } else {
    log.error("a request failed", { error });
    const message = "The console failed; its log says why.";
    sendRefusal(response, { status: 500, code: "TENFOLD_INTERNAL", message });
  }
}

function sendRefusal(response: ServerResponse, { status, code, message }: Refusal): void {
  // What is left of the request's body is not read: the connection cannot be used again.
  response.setHeader("connection", "close");
  sendJson(response, status, { error: { code, message } });
}

function sendLogin(response: ServerResponse, problem: string | undefined): void {
  send(response, 401, loginPage(problem), { "content-type": "text/html; charset=utf-8" });
}

function sendAsset(response: ServerResponse, { type, body, immutable }: Asset): void {
  const control = immutable ? "private, max-age=31536000, immutable" : "no-store";
  response.writeHead(200, { "content-type": type, "cache-control": control });
  response.end(body);
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  send(response, status, `${JSON.stringify(body)}\n`, { "content-type": "application/json" });
}

function send(
  response: ServerResponse,
  status: number,
  body: string,
  headers: OutgoingHttpHeaders,
): void {
  response.writeHead(status, { "cache-control": "no-store", ...headers });
  response.end(body);
}
