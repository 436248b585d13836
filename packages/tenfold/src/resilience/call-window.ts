/** Calls, and how many of them failed or were slow, within the last `windowMs`. */
export interface CallWindow {
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
  /** Moves on to `at`, which never goes back; what is older than the window is forgotten. */
  turn(at: number): void;
  add(at: number, failed: boolean, slow: boolean): void;
  clear(): void;
  /** Counts of each part, the oldest first: what `load` takes. */
  parts(): WindowPart[];
  /** Takes the place of what was counted; the last part is the one of `at`. */
  load(at: number, parts: readonly WindowPart[]): void;
}

export type WindowPart = readonly [calls: number, failures: number, slow: number];

/** The window is cut into so many parts; what is older leaves part by part. */
export const windowParts = 10;

/**
 * A ring of counters with running totals. A call costs the same however many calls the window
 * holds, and after a pause every part that was skipped is emptied, so that nothing stale is left.
 * After the time-based sliding window of resilience4j.
 *
 * @param windowMs above 0.
 */
export function callWindow(windowMs: number): CallWindow {
  const partMs = windowMs / windowParts;
  const calls = new Uint32Array(windowParts);
  const failures = new Uint32Array(windowParts);
  const slow = new Uint32Array(windowParts);
  const total = { calls: 0, failures: 0, slow: 0 };
  let last = -1;

  const empty = (slot: number): void => {
    total.calls -= calls[slot] as number;
    total.failures -= failures[slot] as number;
    total.slow -= slow[slot] as number;
    calls[slot] = failures[slot] = slow[slot] = 0;
  };
  const put = (slot: number, [all, failed, late]: WindowPart): void => {
    calls[slot] = (calls[slot] as number) + all;
    failures[slot] = (failures[slot] as number) + failed;
    slow[slot] = (slow[slot] as number) + late;
    total.calls += all;
    total.failures += failed;
    total.slow += late;
  };
  const turn = (at: number): void => {
    const part = Math.floor(at / partMs);
    // Of a number so large that the next one is itself there is no part; nor of none.
    if (!(part > last && part <= Number.MAX_SAFE_INTEGER)) return;
    const skipped = Math.min(windowParts, part - last);
    for (let step = 0; step < skipped; step++) empty(mod(part - step));
    last = part;
  };
  const clear = (): void => {
    for (let slot = 0; slot < windowParts; slot++) empty(slot);
  };

  return {
    get calls() {
      return total.calls;
    },
    get failures() {
      return total.failures;
    },
    get slow() {
      return total.slow;
    },
    turn,
    add(at, failed, late) {
      turn(at);
      const slot = mod(last);
      calls[slot] = (calls[slot] as number) + 1;
      total.calls++;
      if (failed) {
        failures[slot] = (failures[slot] as number) + 1;
        total.failures++;
      }
      if (late) {
        slow[slot] = (slow[slot] as number) + 1;
        total.slow++;
      }
    },
    clear,
    parts: () =>
      Array.from({ length: windowParts }, (_, age): WindowPart => {
        const slot = mod(last + 1 + age);
        return [calls[slot] as number, failures[slot] as number, slow[slot] as number];
      }),
    load(at, parts) {
      clear();
      turn(at);
      const kept = parts.slice(-windowParts);
      for (const [age, part] of kept.entries()) put(mod(last + 1 + age - kept.length), part);
    },
  };
}

function mod(part: number): number {
  return ((part % windowParts) + windowParts) % windowParts;
}
