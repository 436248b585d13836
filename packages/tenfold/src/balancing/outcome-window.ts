/** Time is cut into so many parts; what is older leaves part by part. */
const parts = 10;

/**
 * Successes and failures of the last `windowMs`. What was skipped while nothing happened is cleared
 * when time is next looked at, so an idle hour leaves nothing behind. O(1) per sample.
 */
export interface OutcomeWindow {
  record(now: number, ok: boolean): void;
  /** Lets go of what is older than the window, then `total` and `failures` are as of `now`. */
  turn(now: number): void;
  readonly total: number;
  readonly failures: number;
  clear(): void;
}

/** @param windowMs above 0. */
export function outcomeWindow(windowMs: number): OutcomeWindow {
  const partMs = windowMs / parts;
  const totals = new Uint32Array(parts);
  const failed = new Uint32Array(parts);
  const state = { part: 0, total: 0, failures: 0 };

  const drop = (index: number): void => {
    state.total -= totals[index] as number;
    state.failures -= failed[index] as number;
    totals[index] = 0;
    failed[index] = 0;
  };
  const turn = (now: number): void => {
    const part = Math.floor(now / partMs);
    if (part <= state.part) return;
    const passed = Math.min(parts, part - state.part);
    for (let back = 0; back < passed; back++) drop((part - back) % parts);
    state.part = part;
  };
  return {
    record(now, ok) {
      turn(now);
      const index = state.part % parts;
      totals[index] = (totals[index] as number) + 1;
      state.total++;
      if (ok) return;
      failed[index] = (failed[index] as number) + 1;
      state.failures++;
    },
    turn,
    get total() {
      return state.total;
    },
    get failures() {
      return state.failures;
    },
    clear() {
      for (let index = 0; index < parts; index++) drop(index);
    },
  };
}
