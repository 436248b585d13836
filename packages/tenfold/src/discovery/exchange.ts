import type { AttemptFailure } from "../resilience/retry.ts";
import { errorReason, TenfoldError } from "../runtime/errors.ts";
import { AnswerHead } from "./answer-head.ts";
import type {
  AnswerHeaders,
  DispatchController,
  Dispatcher,
  DispatchOptions,
} from "./dispatcher.ts";

/** Where requests to one endpoint go. */
export interface Route {
  /** `http://10.0.0.7:8080` */
  readonly origin: string;
  readonly dispatcher: Dispatcher;
  /** It is of undici 6 or 7: takes an `Exchange` as it is. */
  readonly takesOlderHandlers: boolean;
  /** Connections that were opened so far: tells whether a request went over a kept one. */
  readonly connects: number;
  /** Runs `send` when a connection that is about to be free is free, which may be at once. */
  whenFree(send: () => void): void;
  /** An answer ended: its connection is about to be free. */
  ended(): void;
}

/** What is told of an answer, in this order; `failed` ends it at any point. */
export interface AnswerReceiver {
  head(head: AnswerHead): void;
  data(chunk: Buffer): void;
  end(): void;
  failed(failure: AttemptFailure, error: Error): void;
}

/**
 * One HTTP request to one endpoint. How far it came decides whether it may be made again, so that
 * is what it finds out.
 *
 * The handler's methods have the names that undici has for them up to version 7, which makes its
 * own handlers to newer names out of these: a controller and parsed headers for each request.
 */
export class Exchange {
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
  #abort: ((reason: Error) => void) | undefined;
  #resume: (() => void) | undefined;
  #paused = false;
  #cause: Error | undefined;

  constructor(receiver: AnswerReceiver) {
    this.#receiver = receiver;
  }

  start(route: Route, over: Dispatcher, request: DispatchOptions): void {
    this.#route = route;
    route.whenFree(() => {
      if (this.over) return;
      this.#connectsBefore = route.connects;
      over.dispatch(request, this as never);
    });
  }

  /** Cuts it wherever it is; the receiver hears no more. */
  abort(cause: Error): void {
    if (this.over) return;
    this.over = true;
    this.#cause = cause;
    this.#abort?.(cause);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#resume?.();
  }

  onConnect(abort: (reason: Error) => void): void {
    // It was given up while it waited for a connection, which another one can use.
    if (this.#cause !== undefined) throw this.#cause;
    this.#abort = abort;
    this.sent = true;
    this.#reused = this.#route?.connects === this.#connectsBefore;
  }

  onHeaders(
    status: number,
    headers: AnswerHeaders | readonly Buffer[],
    resume: () => void,
    statusText?: string,
  ): boolean {
    if (this.over || status < 200) return true;
    this.#resume = resume;
    this.answered = true;
    this.#receiver.head(new AnswerHead(status, headers, statusText));
    return !this.#paused;
  }

  onData(chunk: Buffer): boolean {
    if (!this.over) this.#receiver.data(chunk);
    return !this.#paused;
  }

  onComplete(): void {
    if (this.over) return;
    this.over = true;
    this.#route?.ended();
    this.#receiver.end();
  }

  onError(error: Error): void {
    if (this.over) return;
    this.over = true;
    this.#receiver.failed(this.#failure(error), error);
  }

  #failure(error: Error): AttemptFailure {
    if (!this.sent) return "neverSent";
    if (this.answered) return "cut";
    return this.#reused && isClosed(error) ? "closedIdle" : "noAnswer";
  }
}

/** The same for dispatchers of any version: by the names of undici 7 and later too. */
export class AnyExchange extends Exchange {
  onRequestStart(controller: DispatchController): void {
    this.onConnect((reason) => controller.abort(reason));
  }

  onResponseStart(
    controller: DispatchController,
    status: number,
    headers: AnswerHeaders,
    statusText?: string,
  ): void {
    const goesOn = this.onHeaders(status, headers, () => controller.resume(), statusText);
    if (!goesOn) controller.pause();
  }

  onResponseData(controller: DispatchController, chunk: Buffer): void {
    if (!this.onData(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    this.onComplete();
  }

  onResponseError(_controller: DispatchController | undefined, error: Error): void {
    this.onError(error);
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
    `The call to ${service} failed at ${endpoint}: ${errorReason(cause)}`,
    {
      retryable: failure === "neverSent" || (idempotent && failure !== "cut"),
      cause,
      details: { service, endpoint, failure, attempts },
    },
  );
}
