import { TenfoldError } from "../runtime/errors.ts";
import { numberOption } from "../runtime/options.ts";
import type { Bulkhead } from "./bulkhead.ts";
import { type Call, type CallHandler, type CallLayer, orReject, readClock } from "./call-layer.ts";
import type { CircuitBreaker } from "./circuit-breaker.ts";
import type { CircuitState } from "./circuit-breaker-state.ts";
import { deadlineAfter, deadlineMsMax } from "./deadline.ts";
import type { RateLimiter } from "./rate-limiter.ts";

/**
 * A call for a request ends so much sooner than that one's deadline, lest both end at one moment
 * and the answer, with what it says about retries, comes too late: this share of the time …
 */
const answerShare = 0.1;
/** … up to this. */
const answerMsMax = 100;

/**
 * The end of the whole call: the sooner of this, the call's own and, with a little time left for
 * the answer, the one that came with the request it is made for. What is over already is not begun.
 *
 * @param deadlineMs 1 … 600,000. @throws TENFOLD_OPTION_INVALID
 */
export function deadlineLayer(deadlineMs: number): CallLayer {
  numberOption("deadlineMs", deadlineMs, { min: 1, max: deadlineMsMax });
  return {
    kind: "deadline",
    wrap: (inner) => (call) => {
      const ownMs = call.deadlineMs ?? deadlineMs;
      const aboveMs = call.incoming.remainingMs ?? Number.POSITIVE_INFINITY;
      const leftMs = Math.min(ownMs, aboveMs - Math.min(answerMsMax, aboveMs * answerShare));
      if (call.signal?.aborted) return call.aborted(call.signal);
      if (leftMs <= 0) return call.refuse("deadline", overAlready(call));
      call.deadline = deadlineAfter(call.at, leftMs);
      call.fairMs = Math.min(call.fairMs, deadlineMs / 2);
      return call.parts.ends.isSteady ? inner(call) : boundByTimer(inner, call, leftMs);
    },
  };
}

/**
 * What the layers do by a clock that may be set ends by a timer all the same: as the caller's
 * abort would end it, wherever the call is. The layers' own ends come first where the clock is
 * right.
 */
function boundByTimer(
  inner: CallHandler,
  call: Call,
  leftMs: number,
): Promise<unknown> | undefined {
  const bound = new AbortController();
  const { parts, signal } = call;
  const onAbort = (): void => bound.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const timer = parts.clock.setTimer(Math.floor(leftMs) + 1, () => {
    call.overtime = outOfTime(call, leftMs);
    call.record("timedOut", "deadline", leftMs);
    bound.abort(call.overtime);
  });
  call.signal = bound.signal;
  return around(inner, call, () => {
    timer.cancel();
    signal?.removeEventListener("abort", onAbort);
  });
}

/**
 * The longest time of one attempt, where the call does not say itself.
 *
 * @param tryTimeoutMs 1 … 600,000. @throws TENFOLD_OPTION_INVALID
 */
export function tryTimeoutLayer(tryTimeoutMs: number): CallLayer {
  numberOption("tryTimeoutMs", tryTimeoutMs, { min: 1, max: deadlineMsMax });
  return {
    kind: "tryTimeout",
    wrap: (inner) => (call) => {
      const longMs = call.ownTryTimeoutMs ?? tryTimeoutMs;
      call.tryTimeoutMs = longMs;
      call.fairMs = Math.min(call.fairMs, longMs / 2);
      return inner(call);
    },
  };
}

/** Turns calls away that come too fast: TENFOLD_RESILIENCE_RATE_LIMITED. */
export function rateLimitLayer(limiter: RateLimiter): CallLayer {
  const refusal = reusable("TENFOLD_RESILIENCE_RATE_LIMITED", "is called as often as it may be");
  return {
    kind: "rateLimit",
    wrap: (inner) => (call) => {
      const waitMs = limiter.take(call.at);
      if (waitMs > 0) return call.refuse("rateLimited", refusal(call, waitMs));
      return inner(call);
    },
  };
}

/** Turns calls away while the circuit is open, and tells it how the others ended. */
export function breakerLayer(breaker: CircuitBreaker): CallLayer {
  let seen: CircuitState = "closed";
  const watch = (call: Call): void => {
    const state = breaker.state(call.at);
    if (state !== seen) call.record("circuitChanged", state, breaker.retryAfterMs(call.at));
    seen = state;
  };
  return {
    kind: "breaker",
    wrap: (inner) => (call) => {
      const permit = breaker.admit(call.at);
      if (permit === 0) {
        watch(call);
        return call.refuse("circuitOpen", breaker.refusal(call.at));
      }
      return around(inner, call, () => {
        breaker.settle(permit, call.at, call.outcome, call.at - call.beganAt);
        if (call.outcome !== "success" || seen !== "closed") watch(call);
      });
    },
  };
}

/** Lets so many calls through at a time, lines up some, turns the others away. */
export function bulkheadLayer(places: Bulkhead<() => void>): CallLayer {
  const refusal = reusable("TENFOLD_RESILIENCE_BULKHEAD_FULL", "is busy with as many calls as may");
  const inLine = (call: Call): Promise<void> | undefined => {
    const { signal, parts } = call;
    let enter = (): void => {};
    const waiter = places.wait(call.at, () => enter(), call.remainingMs());
    if (waiter === undefined) return call.refuse("bulkheadFull", refusal(call, fullRetryMs));
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        timer.cancel();
        signal?.removeEventListener("abort", onAbort);
        call.waited();
        settle();
      };
      const onAbort = (): void => {
        if (!places.giveUp(waiter)) return;
        end(() => call.aborted(signal as AbortSignal));
        reject(call.refusal);
      };
      const timer = parts.clock.setTimer(waiter.waitMs, () => {
        if (!places.giveUp(waiter)) return;
        end(() => call.refuse("bulkheadFull", refusal(call, fullRetryMs)));
        reject(call.refusal);
      });
      signal?.addEventListener("abort", onAbort, { once: true });
      enter = () => end(resolve);
    });
  };
  const wrap = (inner: CallHandler): CallHandler => {
    const through: CallHandler = (call) => {
      call.place = undefined;
      return around(inner, call, (failed) => {
        const kept = failed ? undefined : call.place;
        if (kept === undefined) places.leave(call.at)?.value();
        else kept.leaveAtEnd(() => places.leave(readClock(call.parts))?.value());
      });
    };
    return (call) =>
      places.enter() ? through(call) : inLine(call)?.then(() => orReject(through, call));
  };
  return { kind: "bulkhead", wrap };
}

/** Runs `after` when the inner layers are done, however they end. */
function around(
  inner: CallHandler,
  call: Call,
  after: (failed: boolean) => void,
): Promise<unknown> | undefined {
  const running = inner(call);
  if (running === undefined) after(true);
  return running?.then(
    (value) => {
      after(false);
      return value;
    },
    (error: unknown) => {
      after(true);
      throw error;
    },
  );
}

/** A guess: places come free as calls end, and nobody knows when that is. */
const fullRetryMs = 100;

function outOfTime({ attempt, idempotent, parts }: Call, limitMs: number): TenfoldError {
  const { name } = parts;
  return new TenfoldError(
    "TENFOLD_DEADLINE_EXCEEDED",
    `${name} did not answer within ${Math.round(limitMs)} ms.`,
    { retryable: idempotent, details: { name, limitMs, attempt } },
  );
}

function overAlready(call: Call): TenfoldError {
  return new TenfoldError(
    "TENFOLD_DEADLINE_EXCEEDED",
    `${call.parts.name} was not called: the caller's deadline was over already.`,
    { details: { name: call.parts.name, attempt: 0 } },
  );
}

/** One error for all who are turned away: making one for each is what overload cannot bear. */
function reusable(
  code: "TENFOLD_RESILIENCE_RATE_LIMITED" | "TENFOLD_RESILIENCE_BULKHEAD_FULL",
  says: string,
): (call: Call, retryAfterMs: number) => TenfoldError {
  let error: TenfoldError | undefined;
  return ({ parts: { name } }, retryAfterMs) => {
    error ??= new TenfoldError(code, `${name} ${says}.`, { details: { name }, retryAfterMs });
    (error as { retryAfterMs: number }).retryAfterMs = retryAfterMs;
    return error;
  };
}
