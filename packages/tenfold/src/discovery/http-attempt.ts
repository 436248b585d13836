import { type Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";

import type { AttemptFailure } from "../resilience/retry.ts";
import type { Clock, Timer } from "../runtime/clock.ts";
import type { Endpoint } from "./endpoint.ts";

export interface AttemptRequest {
  readonly method: string;
  /** Path and query, starting with "/". */
  readonly target: string;
  /** Names and values in turn, as in `rawHeaders`; Host, Connection and framing are added here. */
  readonly headers: readonly string[];
  readonly body: Uint8Array | undefined;
  /** Instead of `body`, for what is too large to keep. */
  readonly stream?: BodyStream | undefined;
}

export interface BodyStream {
  /** Its length, or undefined if it is sent in chunks. */
  readonly bytes: number | undefined;
  /** Called once there is a connection: writes the body and ends the request. */
  send(upstream: ClientRequest): void;
}

export interface AttemptOptions {
  readonly agent: Agent;
  readonly clock: Pick<Clock, "setTimer">;
  readonly connectTimeoutMs: number;
  /** Until the head of the answer is there. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export type AttemptOutcome =
  | {
      readonly kind: "answered";
      readonly response: IncomingMessage;
      readonly upstream: ClientRequest;
    }
  | { readonly kind: "failed"; readonly failure: AttemptFailure; readonly error: Error }
  | { readonly kind: "cancelled" };

/**
 * One HTTP/1.1 request to one endpoint, up to the head of its answer. Never rejects: how far it
 * came decides whether it may be made again, so that is what it tells.
 */
export function httpAttempt(
  endpoint: Endpoint,
  spec: AttemptRequest,
  options: AttemptOptions,
): Promise<AttemptOutcome> {
  const { agent, clock, signal } = options;
  if (signal?.aborted) return Promise.resolve({ kind: "cancelled" });
  return new Promise((resolve) => {
    const progress: Progress = { sent: false, socket: undefined, bytesBefore: 0 };
    const upstream = request({
      agent,
      host: endpoint.address,
      port: endpoint.port,
      method: spec.method,
      path: spec.target,
      headers: framed(endpoint, spec),
    });
    let connectTimer: Timer | undefined;
    const settle = (outcome: AttemptOutcome): void => {
      connectTimer?.cancel();
      timer.cancel();
      signal?.removeEventListener("abort", onAbort);
      resolve(outcome);
      if (outcome.kind !== "answered") upstream.destroy();
    };
    const fail = (error: Error): void =>
      settle({ kind: "failed", failure: failureOf(upstream, progress, error), error });
    const onAbort = (): void => settle({ kind: "cancelled" });
    const timer = clock.setTimer(options.timeoutMs, () =>
      fail(new Error(`no answer within ${Math.round(options.timeoutMs)} ms`)),
    );
    signal?.addEventListener("abort", onAbort, { once: true });
    // After settling too: a late error without a listener would end the process.
    upstream.on("error", fail);
    upstream.on("response", (response) => settle({ kind: "answered", response, upstream }));
    const onLate = (): void =>
      fail(new Error(`no connection within ${options.connectTimeoutMs} ms`));
    upstream.on("socket", (socket) => {
      if (socket.connecting) connectTimer = clock.setTimer(options.connectTimeoutMs, onLate);
      onceConnected(socket, () => {
        connectTimer?.cancel();
        progress.sent = true;
        progress.socket = socket;
        progress.bytesBefore = socket.bytesRead;
        spec.stream?.send(upstream);
      });
    });
    if (spec.stream === undefined) upstream.end(spec.body);
    else upstream.flushHeaders();
  });
}

interface Progress {
  sent: boolean;
  socket: Socket | undefined;
  bytesBefore: number;
}

function onceConnected(socket: Socket, run: () => void): void {
  if (socket.connecting) socket.once("connect", run);
  else run();
}

function failureOf(upstream: ClientRequest, progress: Progress, error: Error): AttemptFailure {
  if (!progress.sent) return "neverSent";
  const { socket, bytesBefore } = progress;
  if (socket !== undefined && socket.bytesRead > bytesBefore) return "cut";
  const { code } = error as NodeJS.ErrnoException;
  const closed = code === "ECONNRESET" || code === "EPIPE";
  return closed && upstream.reusedSocket ? "closedIdle" : "noAnswer";
}

function framed(endpoint: Endpoint, spec: AttemptRequest): string[] {
  const host = endpoint.address.includes(":") ? `[${endpoint.address}]` : endpoint.address;
  const headers = ["host", `${host}:${endpoint.port}`, ...spec.headers];
  const { method, body, stream } = spec;
  // Always framed here: left to itself, Node sends the chunks of a DELETE without any framing.
  if (stream !== undefined) {
    if (stream.bytes === undefined) headers.push("transfer-encoding", "chunked");
    else headers.push("content-length", String(stream.bytes));
  } else if (body !== undefined && body.length > 0) {
    headers.push("content-length", String(body.length));
  } else if (method !== "GET" && method !== "HEAD") {
    headers.push("content-length", "0");
  }
  return headers;
}
