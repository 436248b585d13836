import { TenfoldError } from "../runtime/errors.ts";
import { numberOption } from "../runtime/options.ts";
import type { Bulkhead } from "./bulkhead.ts";
import type { Call, CallHandler, CallLayer } from "./call-layer.ts";
import type { CircuitBreaker } from "./circuit-breaker.ts";
import type { CircuitState } from "./circuit-breaker-state.ts";
import { deadlineAfter, deadlineMsMax } from "./deadline.ts";
import type { RateLimiter } from "./rate-limiter.ts";

/**
 * The end of the whole call: the sooner of this, the call's own and the one that came with the
 * request it is made for. What is over already is not begun.
 *
 * @param deadlineMs 1 … 600,000. @throws TENFOLD_OPTION_INVALID
 */
export function deadlineLayer(deadlineMs: number): CallLayer {
  numberOption("deadlineMs", deadlineMs, { min: 1, max: deadlineMsMax });
  return {
    kind: "deadline",
    wrap: (inner) => (call) => {
      const now = call.now();
      const ownMs = call.deadlineMs ?? deadlineMs;
      const leftMs = Math.min(ownMs, call.incoming.remainingMs ?? deadlineMsMax);
      if (call.signal?.aborted) throw call.aborted(call.signal);
      if (leftMs <= 0) throw call.refuse("deadline", overAlready(call));
      call.deadline = deadlineAfter(now, leftMs);
      call.fairMs = Math.min(call.fairMs, deadlineMs / 2);
      return inner(call);
    },
  };
}

/** The longest time of one attempt. @param tryTimeoutMs 1 … 600,000. @throws TENFOLD_OPTION_INVALID */
export function tryTimeoutLayer(tryTimeoutMs: number): CallLayer {
  numberOption("tryTimeoutMs", tryTimeoutMs, { min: 1, max: deadlineMsMax });
  return {
    kind: "tryTimeout",
    wrap: (inner) => (call) => {
      call.tryTimeoutMs = tryTimeoutMs;
      call.fairMs = Math.min(call.fairMs, tryTimeoutMs / 2);
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
      const waitMs = limiter.take(call.now());
      if (waitMs > 0) throw call.refuse("rateLimited", refusal(call, waitMs));
      return inner(call);
    },
  };
}

/** Turns calls away while the circuit is open, and tells it how the others ended. */
export function breakerLayer(breaker: CircuitBreaker): CallLayer {
  let seen: CircuitState = "closed";
  const watch = (call: Call, now: number): void => {
    const state = breaker.state(now);
    if (state !== seen) call.record("circuitChanged", state, breaker.retryAfterMs(now));
    seen = state;
  };
  const settle = (call: Call, permit: number): void => {
    const now = call.now();
    breaker.settle(permit, now, call.outcome, now - call.beganAt);
    if (call.outcome !== "success" || seen !== "closed") watch(call, now);
  };
  return {
    kind: "breaker",
    wrap: (inner) => async (call) => {
      const now = call.now();
      const permit = breaker.admit(now);
      if (permit === 0) {
        watch(call, now);
        throw call.refuse("circuitOpen", breaker.refusal(now));
      }
      try {
        return await inner(call);
      } finally {
        settle(call, permit);
      }
    },
  };
}

/** Lets so many calls through at a time, lines up some, turns the others away. */
export function bulkheadLayer(places: Bulkhead<() => void>): CallLayer {
  const refusal = reusable("TENFOLD_RESILIENCE_BULKHEAD_FULL", "is busy with as many calls as may");
  const inLine = (call: Call): Promise<void> =>
    new Promise((resolve, reject) => {
      const now = call.now();
      const { signal, parts } = call;
      const enter = (): void => {
        timer?.cancel();
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      const waiter = places.wait(now, enter, call.remainingMs(now));
      if (waiter === undefined) {
        reject(call.refuse("bulkheadFull", refusal(call, fullRetryMs)));
        return;
      }
      const onAbort = (): void => {
        timer.cancel();
        if (places.giveUp(waiter)) reject(call.aborted(signal as AbortSignal));
      };
      const timer = parts.clock.setTimer(waiter.waitMs, () => {
        signal?.removeEventListener("abort", onAbort);
        if (places.giveUp(waiter)) reject(call.refuse("bulkheadFull", refusal(call, fullRetryMs)));
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  const wrap =
    (inner: CallHandler): CallHandler =>
    async (call) => {
      if (!places.enter()) await inLine(call);
      try {
        return await inner(call);
      } finally {
        places.leave(call.now())?.value();
      }
    };
  return { kind: "bulkhead", wrap };
}

/** A guess: places come free as calls end, and nobody knows when that is. */
const fullRetryMs = 100;

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
