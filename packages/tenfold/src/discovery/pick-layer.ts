import type { Picked, PickOptions } from "../balancing/balancer.ts";
import { type Call, type CallHandler, type CallLayer, orReject } from "../resilience/call-layer.ts";
import { type AttemptFailure, fullJitter } from "../resilience/retry.ts";
import { TenfoldError } from "../runtime/errors.ts";
import type { CallMetrics } from "./call-metrics.ts";
import type { Endpoint } from "./endpoint.ts";
import type { EndpointPool } from "./endpoint-pool.ts";
import type { Route } from "./exchange.ts";
import type { Hold } from "./hold.ts";
import type { Trip, UnderWay } from "./trip.ts";

export interface PickLayerOptions {
  readonly pool: EndpointPool;
  readonly metrics: CallMetrics;
  readonly hold: Hold;
  /** The longest wait for an endpoint that takes the call. */
  readonly holdMs: number;
  route(endpoint: Endpoint, now: number): Route;
}

/** Timers count whole milliseconds: with less than this left no attempt comes to anything. */
const attemptMsMin = 1.5;

const endless = Number.POSITIVE_INFINITY;

const mayProbe: PickOptions = Object.freeze({ mayProbe: true });
const mayNotProbe: PickOptions = Object.freeze({ mayProbe: false });

/**
 * Chooses the endpoint of each attempt. What no server received goes to the next endpoint at once,
 * and when all had their chance waits for one that takes it; that is no retry, so it costs no
 * budget, and does no harm to a call that must not be made twice. The `subject` of its calls is a
 * `Trip`.
 */
export function pickLayer(options: PickLayerOptions): CallLayer {
  return {
    kind: "pick",
    wrap(inner) {
      const picks = new Picks(options, inner);
      return (call) => picks.begin(call, call.subject as Trip);
    },
  };
}

class Picks {
  readonly #options: PickLayerOptions;
  readonly #inner: CallHandler;

  constructor(options: PickLayerOptions, inner: CallHandler) {
    this.#options = options;
    this.#inner = inner;
  }

  begin(call: Call, trip: Trip): Promise<unknown> | undefined {
    if (call.attempt > 1) {
      this.#options.metrics.retried(trip.last ?? "noAnswer");
      trip.underWay?.discard();
      if (this.#isEverywhere(trip)) trip.tried?.clear();
    }
    return this.#go(call, trip);
  }

  #go(call: Call, trip: Trip): Promise<unknown> | undefined {
    const { pool, metrics, route } = this.#options;
    if (pool.closed) return closed(call, pool.service);
    const picked = pool.pick(call.at, pickOptions(trip));
    if (picked === undefined) return this.#wait(call, trip);
    const { endpoint, reason } = picked;
    call.record("picked", reason, 0, endpoint.id);
    metrics.picked(endpoint.id);
    trip.picked = picked;
    trip.patienceMs = this.#mayLeave(call, trip, picked) ? picked.patienceMs : endless;
    trip.route = route(endpoint, call.at);
    trip.underWay = undefined;
    // So that an endpoint that hangs costs one attempt and not the whole deadline.
    const isShared = call.mayFollow && pool.size > 1;
    call.shareMs = isShared ? call.remainingMs() / 2 : endless;
    call.hasTheRest = call.mayRepeat && !call.mayFollow;
    const running = this.#inner(call);
    if (running === undefined) picked.release();
    return running?.then(
      (value) => this.#answered(call, trip, picked.endpoint.id, value),
      (error: unknown) => this.#failed(call, trip, picked, error),
    );
  }

  #answered(call: Call, trip: Trip, id: string, value: unknown): unknown {
    if (call.outcome === "success") {
      this.#options.pool.recovered();
      return value;
    }
    trip.last = "refused";
    trip.wentTo(id);
    const isEverywhere = this.#isEverywhere(trip);
    // Asked again at once, those that there are would only say the same.
    const isVain = isEverywhere && call.retryAfterMs === 0;
    if (isVain || !trip.canSend()) call.mayRetry = false;
    // What one instance asks for is no reason to keep another one waiting.
    if (!isEverywhere) call.retryAfterMs = 0;
    this.#spare(call);
    return value;
  }

  #failed(call: Call, trip: Trip, picked: Picked<Endpoint>, error: unknown): unknown {
    const isCancelled = call.signal?.aborted === true;
    // Cut by a caller that gave it too little time, it says nothing of the endpoint.
    const saysNothing = isCancelled || call.outcome === "ignored";
    trip.underWay?.giveUp(error as Error, saysNothing ? "cancelled" : "failure");
    picked.release();
    const failure = trip.underWay?.failure;
    if (failure === undefined || isCancelled) throw error;
    const { id } = picked.endpoint;
    trip.last = failure;
    trip.wentTo(id);
    if (!trip.canSend()) call.mayRetry = false;
    this.#spare(call);
    if (!isFree(call, trip, failure) || !trip.canSend()) throw error;
    const { left } = trip.underWay as UnderWay;
    // The slow one may be at it still: what it calls and what the next one calls is the same.
    if (left && failure !== "neverSent") call.mayRetryBelow = false;
    call.record("rerouted", left ? "slow" : failure, 0, id);
    this.#options.metrics.retried(failure);
    const next = (again: Call) =>
      this.#isEverywhere(trip) ? this.#wait(again, trip) : this.#go(again, trip);
    return orReject(next, call);
  }

  /** While one endpoint is well a failure is another's, and says nothing of the service. */
  #spare(call: Call): void {
    if (call.outcome === "ignored" || !this.#options.pool.hasWell) return;
    call.mayRetry ??= call.idempotent;
    call.outcome = "ignored";
  }

  /** Until there is something new to try. */
  #wait(call: Call, trip: Trip): Promise<unknown> | undefined {
    const { pool, hold, holdMs } = this.#options;
    trip.holdSince ??= call.at;
    const heldMs = call.at - trip.holdSince;
    // The first list is worth waiting for in any case.
    const holdLeftMs = pool.listed ? holdMs - heldMs : endless;
    const leftMs = Math.min(call.remainingMs(), holdLeftMs);
    if (leftMs < attemptMsMin) return this.#unreachable(call, trip, heldMs);
    try {
      trip.stopHolding ??= hold.enter(trip.bytes);
    } catch (error) {
      return call.refuse("overload", error as TenfoldError);
    }
    trip.tried?.clear();
    const delayMs = Math.max(1, fullJitter(trip.waits++, call.parts.random));
    call.record("held", trip.last ?? "noneListed", delayMs);
    return pool.wait(delayMs, leftMs, call.signal).then(() => {
      call.waited();
      const { signal } = call;
      if (signal?.aborted) {
        call.aborted(signal);
        throw call.refusal;
      }
      return orReject((again) => this.#go(again, trip), call);
    });
  }

  #unreachable(call: Call, trip: Trip, heldMs: number): undefined {
    call.refuse("unreachable", noEndpoint(this.#options.pool.service, trip, heldMs));
    // Nobody being there is what a circuit is for, unlike other refusals.
    call.outcome = "failure";
    call.beganAt = call.at;
  }

  /** Slow is better than nothing: left is it only for one that is well. */
  #mayLeave(call: Call, { tried }: Trip, { patienceMs, endpoint }: Picked<Endpoint>): boolean {
    if (patienceMs === endless || !call.mayFollow) return false;
    return this.#options.pool.hasWellBeside(new Set(tried).add(endpoint.id));
  }

  #isEverywhere({ tried }: Trip): boolean {
    return (tried?.size ?? 0) >= this.#options.pool.size;
  }
}

function pickOptions({ tried, repeatable, key }: Trip): PickOptions {
  if (tried === undefined && key === undefined) return repeatable ? mayProbe : mayNotProbe;
  return {
    mayProbe: repeatable,
    ...(tried !== undefined && { exclude: tried }),
    ...(key !== undefined && { key }),
  };
}

/**
 * No server had it; or a slow one that was asked is left for another; or one had closed the kept
 * connection just then, which happens once.
 */
function isFree(call: Call, trip: Trip, failure: AttemptFailure): boolean {
  if (failure === "neverSent" || trip.underWay?.left) return true;
  return failure === "closedIdle" && call.mayRepeat && trip.closedIdle++ === 0;
}

function closed(call: Call, service: string): undefined {
  call.outcome = "ignored";
  call.fault = undefined;
  call.mayRetry = false;
  const message = `The client of ${service} is closed.`;
  call.refusal = new TenfoldError("TENFOLD_DISCOVERY_CLOSED", message);
  return undefined;
}

function noEndpoint(service: string, { last }: Trip, heldMs: number): TenfoldError {
  const why = last === undefined ? "none is listed" : `the last attempt ended as ${last}`;
  return new TenfoldError(
    "TENFOLD_DISCOVERY_NO_ENDPOINT",
    `No instance of ${service} could be reached within ${Math.round(heldMs)} ms: ${why}.`,
    { retryable: true, details: { service } },
  );
}
