import { attemptMax, type IncomingCall, markRetryStop } from "../resilience/call-chain.ts";
import { waitingCrowd } from "../resilience/waiting-crowd.ts";
import { abortError, isTenfoldError, TenfoldError } from "../runtime/errors.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import { fullJitterMs } from "./backoff.ts";
import type { Queue, QueueCallOptions } from "./queue.ts";
import type { QueueOperation } from "./queue-core.ts";
import { queueAnswers, toWire } from "./queue-protocol.ts";
import type { Decoder } from "./wire-format.ts";

export interface RemoteCallOptions {
  readonly signal: AbortSignal | undefined;
  /** Milliseconds that this try may take, whole. */
  readonly deadlineMs: number;
  /** May it be sent again when its outcome is unknown? */
  readonly idempotent: boolean;
  /** Of the request that it is made for; says of a try that is repeated that it is. */
  readonly incoming: IncomingCall | undefined;
}

/**
 * Sends one operation to the owner (`POST /v1/queue/<operation>`) and gives back the decoded JSON.
 * It throws the owner's error as `decodeQueueError` gives it, and anything else when there was no
 * answer: a service client's error or Node's, which tell when nobody was reached.
 */
export type RemoteCall = (
  operation: QueueOperation,
  payload: unknown,
  options: RemoteCallOptions,
) => Promise<unknown>;

export interface RemoteQueueOptions {
  /** How long a call may take in all, tries included, without a `deadlineMs` of its own. */
  readonly deadlineMs?: number;
  /** How long one try may take; a claim's wait comes on top. */
  readonly tryMs?: number;
  readonly runtime?: Partial<Runtime>;
}

export const remoteQueueDefaults: {
  readonly deadlineMs: number;
  readonly tryMs: number;
  readonly backoff: { readonly baseMs: number; readonly capMs: number };
} = Object.freeze({
  deadlineMs: 10_000,
  tryMs: 2_000,
  /** An owner is back in under a second: ask often, but not all at once. */
  backoff: Object.freeze({ baseMs: 20, capMs: 250 }),
});

/**
 * The queue of another process. While its owner restarts, calls that are safe to repeat (all but
 * `claim`) are repeated until their deadline: `enqueue` by its idempotency key, `settle` by its
 * tokens; whatever the request that they are made for says, since nobody else repeats them. What
 * may have reached the owner is repeated at a steady rate, however many wait, and at once when
 * another one was answered. `close` closes nothing: the owner's queue and the call belong to
 * others.
 */
export function remoteQueue(call: RemoteCall, options: RemoteQueueOptions = {}): Queue {
  const { clock, random } = runtimeWith(options.runtime);
  const { backoff } = remoteQueueDefaults;
  /** Those that were not answered. */
  const waiting = waitingCrowd(clock);
  const callMs = options.deadlineMs ?? remoteQueueDefaults.deadlineMs;
  const tryMs = options.tryMs ?? remoteQueueDefaults.tryMs;

  const once = async <T>(
    operation: QueueOperation,
    payload: unknown,
    tried: RemoteCallOptions,
    decode: Decoder<T>,
  ): Promise<T> => {
    const answer = await call(operation, toWire(payload), tried).catch((error: unknown) => {
      throw callError(operation, error, tried.signal);
    });
    try {
      return decode(answer, "answer");
    } catch (error) {
      throw noAnswer(operation, error);
    }
  };

  const repeat = async <T>(
    operation: QueueOperation,
    payload: unknown,
    { signal, deadlineMs = callMs, incoming }: QueueCallOptions = {},
    decode: Decoder<T>,
  ): Promise<T> => {
    const untilMs = clock.now() + Math.min(deadlineMs, incoming?.remainingMs ?? deadlineMs);
    for (let attempt = 1; ; attempt++) {
      const leftMs = Math.max(1, Math.ceil(untilMs - clock.now()));
      const tried = {
        signal,
        deadlineMs: Math.min(tryMs, leftMs),
        idempotent: true,
        incoming: attempt === 1 ? incoming : repeated(incoming, attempt),
      };
      try {
        const answer = await once(operation, payload, tried, decode);
        waiting.goOn();
        return answer;
      } catch (error) {
        if (!isTenfoldError(error, "TENFOLD_QUEUEING_UNAVAILABLE")) throw error;
        if (!(await mayRepeat(error, attempt, untilMs, signal))) throw error;
      }
    }
  };

  /** Waits until the call may be made once more; false when there is no time for that. */
  const mayRepeat = async (
    error: TenfoldError,
    attempt: number,
    untilMs: number,
    signal: AbortSignal | undefined,
  ): Promise<boolean> => {
    const pauseMs = fullJitterMs(random, attempt, backoff) + 1;
    const leftMs = untilMs - clock.now();
    const isFree = reachedNobody(error.cause);
    // It is repeated here or not at all: those above leave it.
    if (!isFree) markRetryStop(error);
    if (pauseMs >= leftMs) return false;
    if (isFree) await clock.sleep(pauseMs, { signal });
    else await waiting.wait(pauseMs, Math.max(pauseMs, leftMs / 2), signal);
    if (signal?.aborted) throw abortError(signal);
    return true;
  };

  return {
    enqueue: (message, options) => repeat("enqueue", message, options, queueAnswers.enqueue),
    async claim(request, options = {}) {
      const { signal, deadlineMs = request.waitMs + tryMs, incoming } = options;
      const tried = { signal, deadlineMs: Math.ceil(deadlineMs), idempotent: false, incoming };
      return (await once("claim", request, tried, queueAnswers.claim)).jobs;
    },
    settle: (settlements, options) =>
      repeat("settle", { settlements }, options, queueAnswers.settle),
    async pending(request, options) {
      return (await repeat("pending", request, options, queueAnswers.pending)).messages;
    },
    async completed(request, options) {
      return (await repeat("completed", request, options, queueAnswers.completed)).messages;
    },
    stats: (options) => repeat("stats", {}, options, queueAnswers.stats),
    async close() {},
  };
}

function repeated(incoming: IncomingCall | undefined, attempt: number): IncomingCall {
  const number = Math.min(attemptMax, Math.max(attempt, incoming?.attempt ?? 1));
  return { remainingMs: incoming?.remainingMs, attempt: number, mayRetry: false };
}

/** How a client says that it sent nothing, and how Node does. */
const unsentCodes: ReadonlySet<unknown> = new Set([
  "TENFOLD_DISCOVERY_NO_ENDPOINT",
  "TENFOLD_DISCOVERY_HOLD_FULL",
  "TENFOLD_RESILIENCE_BULKHEAD_FULL",
  "ECONNREFUSED",
]);

/** The call's error itself, or what `fetch` was given as the reason. */
function reachedNobody(error: unknown): boolean {
  const { code, cause } = Object(error) as { readonly code?: unknown; readonly cause?: unknown };
  return unsentCodes.has(code) || (code === undefined && unsentCodes.has(Object(cause).code));
}

/** The owner's own errors and the caller's abort stay; all else means that there was no answer. */
function callError(
  operation: QueueOperation,
  error: unknown,
  signal: AbortSignal | undefined,
): TenfoldError {
  if (signal?.aborted) return abortError(signal);
  if (isTenfoldError(error) && error.code.startsWith("TENFOLD_QUEUEING_")) return error;
  return noAnswer(operation, error);
}

function noAnswer(operation: QueueOperation, cause: unknown): TenfoldError {
  const message = `The queue's owner gave no answer to ${operation}; the outcome is unknown.`;
  return new TenfoldError("TENFOLD_QUEUEING_UNAVAILABLE", message, { retryable: true, cause });
}
