/** How many streams a client may give up. */
export interface ResetAllowance {
  /** False when it was one too many. */
  take(): boolean;
}

/** Twice as many as it may have open at a time, and then so many each second. */
const perSecond = 500;

export function resetAllowance(streamsMax: number, now: () => number): ResetAllowance {
  const most = 2 * streamsMax;
  let left = most;
  let last = now();
  return {
    take() {
      const at = now();
      left = Math.min(most, left + ((at - last) / 1_000) * perSecond);
      last = at;
      left--;
      return left >= 0;
    },
  };
}
