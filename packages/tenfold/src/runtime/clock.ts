import { abortError } from "./errors.ts";

export interface Timer {
  /** Stops the timer; harmless when it has fired or was stopped before. */
  cancel(): void;
}

export interface TimerOptions {
  /** Keep the process alive for this timer? Default true. */
  readonly keepAlive?: boolean;
}

/** Time as code may see it: durations by `now`, dates by `wallNow`; nothing else is read. */
export interface Clock {
  /**
   * Monotonic milliseconds from an arbitrary origin, with fractions. For durations and deadlines.
   */
  now(): number;
  /** Milliseconds since 1970 UTC, whole. For people and for ids; may step in both directions. */
  wallNow(): number;
  /** Calls `run` once after `delayMs` (0 … 2^31−1). An error that it throws is not caught. */
  setTimer(delayMs: number, run: () => void, options?: TimerOptions): Timer;
  /** Resolves after `delayMs`; rejects with the signal's reason when that fires first. */
  sleep(delayMs: number, options?: { signal?: AbortSignal | undefined }): Promise<void>;
}

/** `Clock.sleep` for any clock that has timers. */
export function sleepOn(
  clock: Pick<Clock, "setTimer">,
  delayMs: number,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(abortError(signal));
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(abortError(signal as AbortSignal));
    };
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

export const systemClock: Clock = Object.freeze({
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimer(delayMs: number, run: () => void, options?: TimerOptions): Timer {
    const handle = setTimeout(run, delayMs);
    if (options?.keepAlive === false) handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
  sleep(delayMs: number, options?: { signal?: AbortSignal | undefined }): Promise<void> {
    return sleepOn(systemClock, delayMs, options?.signal);
  },
});
