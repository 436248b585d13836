import type { Clock } from "../runtime/clock.ts";
import { abortError, TenfoldError } from "../runtime/errors.ts";
import type { QueueCallOptions } from "./queue.ts";

/** One call's end: by its caller's signal or by its deadline, whichever comes first. */
export interface CallSignal {
  readonly signal: AbortSignal | undefined;
  readonly ended: boolean;
  /** @throws TENFOLD_ABORTED or TENFOLD_DEADLINE_EXCEEDED */
  throwIfEnded(): void;
  /** The promise, or the rejection when the call ends first. */
  race<T>(promise: Promise<T>): Promise<T>;
  /** Stops the timer; call it when the answer is there. */
  end(): void;
}

export function startCall(clock: Clock, options: QueueCallOptions | undefined): CallSignal {
  const { signal: given, deadlineMs } = options ?? {};
  if (given === undefined && deadlineMs === undefined) return endless;
  const controller = new AbortController();
  const { signal } = controller;
  const timer =
    deadlineMs === undefined
      ? undefined
      : clock.setTimer(deadlineMs, () => controller.abort(deadlineError(deadlineMs)));
  const onAbort = (): void => controller.abort(abortError(given as AbortSignal));
  if (given?.aborted) onAbort();
  else given?.addEventListener("abort", onAbort, { once: true });
  return {
    signal,
    get ended() {
      return signal.aborted;
    },
    throwIfEnded() {
      if (signal.aborted) throw abortError(signal);
    },
    race(promise) {
      return new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(abortError(signal)), { once: true });
        promise.then(resolve, reject);
      });
    },
    end() {
      timer?.cancel();
      given?.removeEventListener("abort", onAbort);
    },
  };
}

const endless: CallSignal = {
  signal: undefined,
  ended: false,
  throwIfEnded() {},
  race: (promise) => promise,
  end() {},
};

function deadlineError(deadlineMs: number): TenfoldError {
  return new TenfoldError(
    "TENFOLD_DEADLINE_EXCEEDED",
    `The queue did not answer within ${deadlineMs} ms; the outcome is unknown.`,
    { retryable: true },
  );
}
