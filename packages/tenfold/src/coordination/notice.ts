/** Wakes one waiter when something changed. A notice given while nobody waits is kept, once. */
export interface Notice {
  notify(): void;
  /** Resolves at the next notice, at once if one is kept; also when the signal fires. */
  wait(signal: AbortSignal): Promise<void>;
}

export function notice(): Notice {
  let kept = false;
  let wake = (): void => {};
  return {
    notify() {
      kept = true;
      wake();
    },
    async wait(signal) {
      if (!kept && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          signal.addEventListener("abort", wake, { once: true });
        });
        signal.removeEventListener("abort", wake);
      }
      kept = false;
    },
  };
}
