import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { Clock } from "../runtime/clock.ts";
import type { ErrorCode } from "../runtime/error-codes.ts";
import { isTenfoldError } from "../runtime/errors.ts";

/** An answer that the gateway gives itself: always an error, always coded. */
export interface OwnAnswer {
  readonly status: number;
  readonly code: ErrorCode;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Close the connection after it: what follows on it is not to be believed, or not read. */
  readonly close?: boolean;
}

/** What the client is told of a call that failed; addresses and causes stay in the log. */
export function answerFor(error: unknown, service: string): OwnAnswer {
  const retry = { "retry-after": "1" };
  if (isTenfoldError(error, "TENFOLD_DISCOVERY_NO_ENDPOINT")) {
    const message = `No instance of ${service} could be reached in time.`;
    return { status: 503, code: "TENFOLD_GATEWAY_UNAVAILABLE", message, headers: retry };
  }
  if (isTenfoldError(error, "TENFOLD_DISCOVERY_HOLD_FULL")) {
    const { message } = error;
    return { status: 503, code: "TENFOLD_GATEWAY_HOLD_FULL", message, headers: retry };
  }
  if (
    isTenfoldError(error, "TENFOLD_DEADLINE_EXCEEDED") ||
    isTenfoldError(error, "TENFOLD_RESILIENCE_TRY_TIMEOUT")
  ) {
    const message = `${service} did not answer in time.`;
    return { status: 504, code: "TENFOLD_GATEWAY_DEADLINE_EXCEEDED", message };
  }
  if (isTenfoldError(error, "TENFOLD_DISCOVERY_CLOSED")) {
    const message = "The gateway is stopping.";
    return { status: 503, code: "TENFOLD_GATEWAY_UNAVAILABLE", message, headers: retry };
  }
  const message = `An instance of ${service} failed before it answered.`;
  return { status: 502, code: "TENFOLD_GATEWAY_UPSTREAM_FAILED", message };
}

export interface SendOptions {
  readonly clock: Pick<Clock, "setTimer">;
  readonly requestId?: string | undefined;
}

/** Sends it, unless an answer was begun already. */
export function sendOwnAnswer(
  response: ServerResponse,
  answer: OwnAnswer,
  { clock, requestId }: SendOptions,
): void {
  if (response.headersSent || response.destroyed) return;
  const body = bodyOf(answer);
  response.writeHead(answer.status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...answer.headers,
    ...(requestId !== undefined && { "x-request-id": requestId }),
    ...(answer.close && { connection: "close" }),
  });
  if (!answer.close || response.req.complete) {
    response.end(body);
    return;
  }
  if (response.req.method !== "HEAD") response.write(body);
  endWhenRead(response, clock);
}

/**
 * Ends an answer that ends its connection. While the client still sends it is read on for a moment:
 * closed at once, the connection would be reset, and the answer lost.
 */
export function endWhenRead(response: ServerResponse, clock: Pick<Clock, "setTimer">): void {
  const request = response.req;
  if (request.complete) {
    response.end();
    return;
  }
  const end = (): void => {
    timer.cancel();
    response.end();
  };
  const timer = clock.setTimer(lingerMs, end);
  request.on("end", end);
  request.on("close", end);
  // A listener, since whoever read the body before may only now be leaving it.
  request.on("data", () => {}).resume();
}

const lingerMs = 500;

/** The same on a bare socket, for requests that the parser refused; the connection ends with it. */
export function sendOnSocket(socket: Duplex, answer: OwnAnswer): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = bodyOf(answer);
  socket.end(
    `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status]}\r\n` +
      "content-type: application/json\r\n" +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

function bodyOf({ code, message }: OwnAnswer): string {
  return JSON.stringify({ error: { code, message } });
}
