import type { Picked } from "../balancing/balancer.ts";
import type { Deadline } from "../resilience/deadline.ts";
import { type AttemptFailure, fullJitter, retryVerdict } from "../resilience/retry.ts";
import type { RetryBudget } from "../resilience/retry-budget.ts";
import { abortError, errorText, TenfoldError } from "../runtime/errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { CallMetrics } from "./call-metrics.ts";
import type { Endpoint } from "./endpoint.ts";
import type { EndpointPool } from "./endpoint-pool.ts";

/** How one attempt ended. `discard` drops an answer that will not be used. */
export type Attempted<T> =
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly value: T;
      readonly discard: () => void;
    }
  | { readonly kind: "failed"; readonly failure: AttemptFailure; readonly error: Error }
  | { readonly kind: "cancelled" };

export interface CallPlan<T> {
  readonly pool: EndpointPool;
  readonly budget: RetryBudget;
  readonly metrics: CallMetrics;
  readonly runtime: Runtime;
  /** May the call be repeated once its first byte was sent? */
  readonly idempotent: boolean;
  readonly deadline: Deadline;
  /** Limit of one attempt of a call that may be repeated, in milliseconds. */
  readonly tryTimeoutMs: number;
  /** Attempts that reach a server. */
  readonly attemptsMax: number;
  readonly signal?: AbortSignal | undefined;
  attempt(endpoint: Endpoint, timeoutMs: number, attempt: number): Promise<Attempted<T>>;
  /** Called before waiting for an endpoint; gives what to call after it. May throw to refuse. */
  onHold?(): () => void;
}

export interface CallResult<T> {
  readonly value: T;
  /** Of the endpoint that answered; whoever uses the answer releases it. */
  readonly picked: Picked<Endpoint>;
  /** Attempts that reached a server. */
  readonly attempts: number;
}

/**
 * Makes a call until it is answered: picks an endpoint, tries, and tries elsewhere as
 * `retryVerdict` and the budget allow. What no server received is tried again until the deadline,
 * so a call outlives a restart of the whole service.
 *
 * @throws TENFOLD_DISCOVERY_NO_ENDPOINT, TENFOLD_DISCOVERY_CALL_FAILED, TENFOLD_DEADLINE_EXCEEDED,
 *   TENFOLD_ABORTED
 */
export async function call<T>(plan: CallPlan<T>): Promise<CallResult<T>> {
  const { pool, budget, metrics, deadline, signal } = plan;
  const { clock, random } = plan.runtime;
  const tried = new Set<string>();
  const state: Progress = { sent: 0, waits: 0, closedIdle: 0, last: undefined };
  let release: (() => void) | undefined;

  const waitForEndpoint = async (): Promise<void> => {
    release ??= plan.onHold?.();
    const delay = Math.max(1, fullJitter(state.waits++, random));
    await pool.wait(delay, deadline.remainingMs(clock.now()), signal);
  };
  budget.deposit(clock.now());
  try {
    for (;;) {
      check(plan, state.last);
      const picked = pool.pick({ exclude: tried, mayProbe: plan.idempotent });
      if (picked === undefined) {
        await waitForEndpoint();
        continue;
      }
      tried.add(picked.endpoint.id);
      const ended = await tryOnce(plan, picked, state.sent);
      if (ended.kind === "cancelled") throw abortError(signal as AbortSignal);
      const failure = failureOf(ended);
      if (failure !== "neverSent") state.sent++;
      const allTried = tried.size >= pool.size;
      if (ended.kind === "answered") {
        // Asked again at once, the only server would only say the same.
        if (failure === undefined || allTried || !mayRetry(plan, state, failure)) {
          return { value: ended.value, picked, attempts: state.sent };
        }
        ended.discard();
      } else {
        state.last = { ...ended, endpoint: picked.endpoint };
      }
      picked.release();
      if (ended.kind === "failed" && !mayRetry(plan, state, ended.failure)) {
        throw failed(plan, state.last as Failed, state.sent);
      }
      metrics.retried(failure as AttemptFailure);
      if (!allTried) continue;
      tried.clear();
      await waitForEndpoint();
    }
  } catch (error) {
    metrics.failed(error);
    throw error;
  } finally {
    release?.();
  }
}

interface Progress {
  /** Attempts that reached a server. */
  sent: number;
  waits: number;
  closedIdle: number;
  last: Failed | undefined;
}

function check<T>(plan: CallPlan<T>, last: Failed | undefined): void {
  const { pool, signal } = plan;
  if (signal?.aborted) throw abortError(signal);
  if (pool.closed) {
    throw new TenfoldError("TENFOLD_DISCOVERY_CLOSED", `The client of ${pool.service} is closed.`);
  }
  if (isOver(plan)) throw outOfTime(plan, last);
}

function isOver<T>({ deadline, runtime }: CallPlan<T>): boolean {
  // Timers count whole milliseconds, so one that was set for the rest may fire a little early.
  return deadline.remainingMs(runtime.clock.now()) < 1.5;
}

function mayRetry<T>(plan: CallPlan<T>, state: Progress, failure: AttemptFailure): boolean {
  const verdict = retryVerdict(failure, plan.idempotent);
  if (verdict === "never" || state.sent >= plan.attemptsMax) return false;
  // The race with a server that closes an idle connection is nobody's fault, but only once.
  const isFree = verdict === "free" && (failure === "neverSent" || state.closedIdle++ === 0);
  return isFree || plan.budget.withdraw(plan.runtime.clock.now());
}

function failureOf<T>(ended: Attempted<T>): AttemptFailure | undefined {
  if (ended.kind === "failed") return ended.failure;
  return ended.kind === "answered" && isRefusal(ended.status) ? "refused" : undefined;
}

interface Failed {
  readonly failure: AttemptFailure;
  readonly error: Error;
  readonly endpoint: Endpoint;
}

/** One attempt, and what it tells the balancer. */
async function tryOnce<T>(
  plan: CallPlan<T>,
  picked: Picked<Endpoint>,
  sent: number,
): Promise<Attempted<T>> {
  const { clock } = plan.runtime;
  plan.metrics.picked(picked.endpoint.id);
  const began = clock.now();
  const remainingMs = plan.deadline.remainingMs(began);
  const mayRepeat = plan.idempotent && sent + 1 < plan.attemptsMax;
  // Half of what is left, so that a host that hangs costs one attempt and not the whole deadline.
  const shareMs = plan.pool.size > 1 ? remainingMs / 2 : remainingMs;
  const timeoutMs = mayRepeat ? Math.min(plan.tryTimeoutMs, shareMs) : remainingMs;
  const ended = await plan.attempt(picked.endpoint, timeoutMs, sent + 1).catch((error) => {
    picked.release();
    throw error;
  });
  const now = clock.now();
  const tookMs = now - began;
  if (ended.kind === "cancelled") {
    picked.report(now, "cancelled", tookMs);
    picked.release();
  } else if (ended.kind === "answered") {
    picked.report(now, ended.status >= 500 ? "failure" : "success", tookMs);
    if (!isRefusal(ended.status)) plan.pool.recovered();
  } else if (ended.failure !== "closedIdle") {
    picked.report(now, "failure", tookMs);
  }
  plan.metrics.tried(ended.kind === "failed" ? ended.failure : ended.kind, tookMs);
  return ended;
}

/** The server says that it, or what is behind it, cannot serve now. */
function isRefusal(status: number): boolean {
  return status === 502 || status === 503 || status === 504;
}

function outOfTime<T>(plan: CallPlan<T>, last: Failed | undefined): TenfoldError {
  const { service } = plan.pool;
  const isUnreached = last === undefined ? plan.pool.size === 0 : last.failure === "neverSent";
  if (!isUnreached) {
    const why = last === undefined ? "nothing was tried" : errorText(last.error);
    return new TenfoldError(
      "TENFOLD_DEADLINE_EXCEEDED",
      `The call to ${service} ran out of time: ${why}.`,
      { retryable: plan.idempotent, cause: last?.error, details: { service } },
    );
  }
  const why = last === undefined ? "none is listed" : errorText(last.error);
  return new TenfoldError(
    "TENFOLD_DISCOVERY_NO_ENDPOINT",
    `No instance of ${service} could be reached before the deadline: ${why}.`,
    { retryable: true, cause: last?.error, details: { service } },
  );
}

function failed<T>(plan: CallPlan<T>, last: Failed, attempts: number): TenfoldError {
  const { service } = plan.pool;
  if (isOver(plan)) return outOfTime(plan, last);
  return new TenfoldError(
    "TENFOLD_DISCOVERY_CALL_FAILED",
    `The call to ${service} failed at ${last.endpoint.id}: ${errorText(last.error)}.`,
    {
      retryable: plan.idempotent && last.failure !== "cut",
      cause: last.error,
      details: { service, endpoint: last.endpoint.id, failure: last.failure, attempts },
    },
  );
}
