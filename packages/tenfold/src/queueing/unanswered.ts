import type { Clock } from "../runtime/clock.ts";
import { abortError } from "../runtime/errors.ts";

/** Those who wait to ask again, since they were not answered. */
export interface Unanswered {
  /**
   * Waits for `pauseMs`, longer the more wait, up to half of `leftMs`; shorter when somebody was
   * answered. Rejects when the signal fires.
   */
  wait(pauseMs: number, leftMs: number, signal: AbortSignal | undefined): Promise<void>;
  /** Somebody was answered: all go on. */
  goOn(): void;
}

/** @param fullRate so many ask at their own rate; with more of them each asks less often */
export function unanswered(clock: Pick<Clock, "setTimer">, fullRate: number): Unanswered {
  const waiting = new Set<() => void>();
  return {
    wait(pauseMs, leftMs, signal) {
      const crowd = Math.max(1, (waiting.size + 1) / fullRate);
      const crowdedMs = Math.max(pauseMs, Math.min(pauseMs * crowd, leftMs / 2));
      return new Promise((resolve, reject) => {
        const end = (settle: () => void): void => {
          timer.cancel();
          waiting.delete(goOn);
          signal?.removeEventListener("abort", onAbort);
          settle();
        };
        const goOn = (): void => end(resolve);
        const onAbort = (): void => end(() => reject(abortError(signal as AbortSignal)));
        const timer = clock.setTimer(crowdedMs, goOn);
        waiting.add(goOn);
        signal?.addEventListener("abort", onAbort, { once: true });
        if (signal?.aborted) onAbort();
      });
    },
    goOn() {
      for (const goOn of [...waiting]) goOn();
    },
  };
}
