/** Wakes one waiter when something changed. A notice given while nobody waits is kept, once. */
export interface Notice {
  notify(): void;
  /** True at the next notice, at once if one is kept; false when the signal has fired. */
  wait(signal: AbortSignal): Promise<boolean>;
  /** Lets go of the signal, which may live longer. A wait that comes after it takes it up again. */
  close(): void;
}

/** Listens to the signal once, not for every wait: that would be half of what a wait costs. */
export function notice(): Notice {
  let kept = false;
  let wake = (): void => {};
  let heeded: AbortSignal | undefined;
  let isOver = false;

  const onAbort = (): void => {
    isOver = true;
    wake();
  };
  const heed = (signal: AbortSignal | undefined): void => {
    heeded?.removeEventListener("abort", onAbort);
    heeded = signal;
    isOver = signal?.aborted ?? false;
    if (!isOver) signal?.addEventListener("abort", onAbort, { once: true });
  };
  return {
    notify() {
      kept = true;
      wake();
    },
    async wait(signal) {
      if (signal !== heeded) heed(signal);
      if (!kept && !isOver) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      kept = false;
      return !isOver;
    },
    close: () => heed(undefined),
  };
}
