import type { Picked } from "../balancing/balancer.ts";
import type { AttemptFailure } from "../resilience/retry.ts";
import type { Timer } from "../runtime/clock.ts";
import { isTenfoldError, TenfoldError } from "../runtime/errors.ts";
import { AnswerHead } from "./answer-head.ts";
import type { CallCore } from "./call-core.ts";
import type { AnswerHeaders, Dispatcher, DispatchOptions } from "./dispatcher.ts";
import type { Endpoint } from "./endpoint.ts";
import { type AnswerReceiver, AnyExchange, callFailed, Exchange, type Route } from "./exchange.ts";
import type { Trip, UnderWay } from "./trip.ts";

/** What the calls of a client have in common. */
export type CallParts = Pick<CallCore, "service" | "runtime" | "metrics">;

/** What is sent; to which origin is added for each attempt. */
export type AttemptRequest = Omit<DispatchOptions, "origin">;

const noHead = new AnswerHead(0, {}, "");

/**
 * One attempt at the endpoint that was picked for it, and what it tells the balancer: the time to
 * the first byte at the head of the answer, the end when all of it is here.
 */
export abstract class EndpointCall<T> implements AnswerReceiver, UnderWay {
  failure: AttemptFailure | undefined;
  left = false;
  protected answer: AnswerHead = noHead;
  readonly endpoint: Endpoint;
  protected readonly parts: CallParts;
  protected readonly trip: Trip;
  protected readonly exchange: Exchange;
  protected readonly resolve: (value: T) => void;
  protected readonly reject: (error: Error) => void;
  readonly #picked: Picked<Endpoint>;
  readonly #beganAt: number;
  #patience: Timer | undefined;
  /** Until the head of the answer. */
  #tookMs = 0;

  constructor(
    parts: CallParts,
    trip: Trip,
    resolve: (value: T) => void,
    reject: (error: Error) => void,
  ) {
    this.parts = parts;
    this.trip = trip;
    this.resolve = resolve;
    this.reject = reject;
    this.#picked = trip.picked as Picked<Endpoint>;
    this.endpoint = this.#picked.endpoint;
    this.#beganAt = parts.runtime.clock.now();
    const isOlder = trip.route?.takesOlderHandlers === true;
    this.exchange = isOlder ? new Exchange(this) : new AnyExchange(this);
    trip.underWay = this;
  }

  get status(): number {
    return this.answer.status;
  }

  get statusText(): string {
    return this.answer.statusText;
  }

  get headers(): AnswerHeaders {
    return this.answer.headers;
  }

  /** @param over Default: the connections of the route. */
  start(request: AttemptRequest, over?: Dispatcher): void {
    const route = this.trip.route as Route;
    (request as { origin?: string }).origin = route.origin;
    const { patienceMs } = this.trip;
    if (patienceMs < Number.POSITIVE_INFINITY) {
      this.#patience = this.parts.runtime.clock.setTimer(patienceMs, () => this.#leave());
    }
    this.exchange.start(route, over ?? route.dispatcher, request as DispatchOptions);
  }

  head(answer: AnswerHead): void {
    this.#patience?.cancel();
    this.answer = answer;
    this.trip.sent++;
    const now = this.parts.runtime.clock.now();
    this.#tookMs = now - this.#beganAt;
    this.#picked.report(now, answer.status >= 500 ? "failure" : "success", this.#tookMs);
    this.headed();
  }

  end(): void {
    this.#picked.release();
    this.parts.metrics.tried("answered", this.#tookMs);
    this.ended();
  }

  failed(failure: AttemptFailure, error: Error): void {
    const { answered } = this.exchange;
    this.#patience?.cancel();
    this.#picked.release();
    // No endpoint would be sent this request, so none is asked next.
    if (isRefusedByUs(error)) {
      if (!answered || !this.broke(error)) this.reject(notSendable(error));
      return;
    }
    this.#report(failure === "closedIdle" ? undefined : "failure", failure);
    if (answered && this.broke(error)) return;
    if (!answered && failure !== "neverSent") this.trip.sent++;
    const { service } = this.parts;
    const { repeatable, sent } = this.trip;
    const about = { cause: error, idempotent: repeatable, attempts: sent };
    this.reject(callFailed(service, this.endpoint.id, this.failure ?? failure, about));
  }

  giveUp(cause: Error, outcome: "failure" | "cancelled"): void {
    const { exchange } = this;
    if (exchange.over) return;
    this.#patience?.cancel();
    const failure = exchange.sent ? "noAnswer" : "neverSent";
    if (!exchange.answered && exchange.sent) this.trip.sent++;
    exchange.abort(cause);
    this.#picked.release();
    this.#report(outcome, failure);
    this.gaveUp(cause);
  }

  discard(): void {
    this.giveUp(new Error("the answer is not used"), "cancelled");
  }

  #leave(): void {
    if (this.exchange.over || !this.trip.canSend()) return;
    const cause = new Error(`${this.endpoint.id} is slow still`);
    this.left = true;
    this.giveUp(cause, "cancelled");
    this.reject(cause);
  }

  #report(outcome: "failure" | "cancelled" | undefined, failure: AttemptFailure): void {
    // A body that broke was seen by nobody: to the call it is no answer.
    this.failure = failure === "cut" ? "noAnswer" : failure;
    const now = this.parts.runtime.clock.now();
    const lastedMs = now - this.#beganAt;
    if (outcome !== undefined) this.#picked.report(now, outcome, lastedMs);
    const tried = outcome === "cancelled" ? outcome : failure;
    this.parts.metrics.tried(tried, this.exchange.answered ? this.#tookMs : lastedMs);
  }

  abstract data(chunk: Buffer): void;
  /** The head is there. */
  protected abstract headed(): void;
  /** All of it is there. */
  protected abstract ended(): void;
  /** The answer broke off after its head; true when whoever reads it was told. */
  protected abstract broke(error: Error): boolean;
  /** It was cut from here. */
  protected abstract gaveUp(cause: Error): void;
}

/** undici does not take the request as it is, or its caller's body broke off. */
function isRefusedByUs(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException;
  if (isTenfoldError(error, "TENFOLD_OPTION_INVALID")) return true;
  return code === "UND_ERR_INVALID_ARG" || code === "UND_ERR_NOT_SUPPORTED";
}

function notSendable(cause: Error): TenfoldError {
  if (isTenfoldError(cause)) return cause;
  const message = `The request cannot be sent as it is: ${cause.message}.`;
  return new TenfoldError("TENFOLD_OPTION_INVALID", message, { cause });
}
