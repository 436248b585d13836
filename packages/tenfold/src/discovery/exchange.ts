import type { AttemptFailure } from "../resilience/retry.ts";
import { errorText, TenfoldError } from "../runtime/errors.ts";
import type {
  AnswerHeaders,
  DispatchController,
  Dispatcher,
  DispatchHandler,
  DispatchOptions,
} from "./dispatcher.ts";
import { headersOf, OlderController } from "./older-undici.ts";

/** Where requests to one endpoint go. */
export interface Route {
  /** `http://10.0.0.7:8080` */
  readonly origin: string;
  readonly dispatcher: Dispatcher;
  /** Connections that were opened so far: tells whether a request went over a kept one. */
  readonly connects: number;
}

/** What is told of an answer, in this order; `failed` ends it at any point. */
export interface AnswerReceiver {
  head(status: number, headers: AnswerHeaders, statusText: string): void;
  data(chunk: Buffer): void;
  end(): void;
  failed(failure: AttemptFailure, error: Error): void;
}

/**
 * One HTTP request to one endpoint. How far it came decides whether it may be made again, so that
 * is what it finds out.
 */
export class Exchange implements DispatchHandler {
  /** A server may have had a part of the request. */
  sent = false;
  /** The head of the answer came. */
  answered = false;
  /** Nothing more will come. */
  over = false;
  readonly #receiver: AnswerReceiver;
  #route: Route | undefined;
  #connectsBefore = 0;
  #reused = false;
  #controller: DispatchController | undefined;
  #cause: Error | undefined;

  constructor(receiver: AnswerReceiver) {
    this.#receiver = receiver;
  }

  start(route: Route, over: Dispatcher, request: Omit<DispatchOptions, "origin">): void {
    this.#route = route;
    this.#connectsBefore = route.connects;
    over.dispatch({ ...request, origin: route.origin }, this);
  }

  /** Cuts it wherever it is; the receiver hears no more. */
  abort(cause: Error): void {
    if (this.over) return;
    this.over = true;
    this.#cause = cause;
    this.#controller?.abort(cause);
  }

  pause(): void {
    this.#controller?.pause();
  }

  resume(): void {
    this.#controller?.resume();
  }

  onRequestStart(controller: DispatchController): void {
    // It was given up while it waited for a connection, which another one can use.
    if (this.#cause !== undefined) throw this.#cause;
    this.#controller = controller;
    this.sent = true;
    this.#reused = this.#route?.connects === this.#connectsBefore;
  }

  onResponseStart(
    controller: DispatchController,
    status: number,
    headers: AnswerHeaders,
    statusText = "",
  ): void {
    if (this.over || status < 200) return;
    this.#controller = controller;
    this.answered = true;
    this.#receiver.head(status, headers, statusText);
  }

  onResponseData(_controller: DispatchController, chunk: Buffer): void {
    if (!this.over) this.#receiver.data(chunk);
  }

  onResponseEnd(): void {
    if (this.over) return;
    this.over = true;
    this.#receiver.end();
  }

  onResponseError(_controller: DispatchController | undefined, error: Error): void {
    if (this.over) return;
    this.over = true;
    this.#receiver.failed(this.#failure(error), error);
  }

  // The same by the names that undici 6 has for them.

  onConnect(abort: (reason: Error) => void): void {
    this.onRequestStart(new OlderController(abort));
  }

  onHeaders(
    status: number,
    raw: readonly Uint8Array[],
    resume: () => void,
    statusText?: string,
  ): boolean {
    const controller = this.#controller as OlderController;
    controller.resumesBy(resume);
    this.onResponseStart(controller, status, headersOf(raw), statusText);
    return !controller.paused;
  }

  onData(chunk: Buffer): boolean {
    const controller = this.#controller as OlderController;
    this.onResponseData(controller, chunk);
    return !controller.paused;
  }

  onComplete(): void {
    this.onResponseEnd();
  }

  onError(error: Error): void {
    this.onResponseError(this.#controller, error);
  }

  #failure(error: Error): AttemptFailure {
    if (!this.sent) return "neverSent";
    if (this.answered) return "cut";
    return this.#reused && isClosed(error) ? "closedIdle" : "noAnswer";
  }
}

/** The other side closed the connection, in order or not. */
function isClosed(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "UND_ERR_SOCKET" || code === "ECONNRESET" || code === "EPIPE";
}

/** How a call that no answer came to ends. */
export function callFailed(
  service: string,
  endpoint: string,
  failure: AttemptFailure,
  options: { readonly cause: unknown; readonly idempotent: boolean; readonly attempts: number },
): TenfoldError {
  const { cause, idempotent, attempts } = options;
  return new TenfoldError(
    "TENFOLD_DISCOVERY_CALL_FAILED",
    `The call to ${service} failed at ${endpoint}: ${errorText(cause)}.`,
    {
      retryable: failure === "neverSent" || (idempotent && failure !== "cut"),
      cause,
      details: { service, endpoint, failure, attempts },
    },
  );
}
