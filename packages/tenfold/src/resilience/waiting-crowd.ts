import type { Clock } from "../runtime/clock.ts";

/** Those who wait to ask a callee again that did not answer. */
export interface WaitingCrowd {
  /**
   * Waits for `delayMs`, longer the more are waiting, never longer than `atMostMs`; ends early when
   * the crowd is let go on, or the signal fires.
   */
  wait(delayMs: number, atMostMs: number, signal?: AbortSignal): Promise<void>;
  /** There is something new to try: all go on. */
  goOn(): void;
}

/** So many who wait ask at full rate; with more of them each asks less often. */
const fullRate = 10;

/** A dead callee is asked at a steady rate, however many wait for it. */
export function waitingCrowd(clock: Pick<Clock, "setTimer">): WaitingCrowd {
  const waiting = new Set<() => void>();
  return {
    wait(delayMs, atMostMs, signal) {
      if (signal?.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const wake = (): void => {
          timer.cancel();
          waiting.delete(wake);
          signal?.removeEventListener("abort", wake);
          resolve();
        };
        const crowd = Math.max(1, (waiting.size + 1) / fullRate);
        const timer = clock.setTimer(Math.min(delayMs * crowd, atMostMs), wake);
        waiting.add(wake);
        signal?.addEventListener("abort", wake, { once: true });
      });
    },
    goOn() {
      // After every call that goes well: nearly always nobody waits.
      if (waiting.size > 0) for (const wake of [...waiting]) wake();
    },
  };
}
