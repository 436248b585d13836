import type { StoredWorker } from "./worker-records.ts";

export const peerTimeDefaults: { readonly leapMsMax: number } = Object.freeze({
  /** Longer than a dead holder's session stays listed; less than a clock that is plainly wrong. */
  leapMsMax: 10_000,
});

/**
 * Does a clock that leapt ahead have the other holders against it? They reserve half a window to a
 * whole one ahead of their clocks, so the median of their reservations tells their time. Alone, a
 * process has no witness, and its clock is believed.
 */
export function peersDisagree(
  wallMs: number,
  stored: readonly StoredWorker[],
  ownWorker: number,
): boolean {
  const { median } = reservedByOthers(stored, ownWorker);
  return median !== undefined && wallMs > median + peerTimeDefaults.leapMsMax;
}

/**
 * The time a process starts with: its wall clock's, or that of the others where two of them, at
 * least, are witnesses that it is ahead. It has no earlier time of its own to compare with.
 */
export function startingTimeMs(
  wallMs: number,
  stored: readonly StoredWorker[],
  windowMs: number,
): number {
  const { median, count } = reservedByOthers(stored, undefined);
  if (median === undefined || count < 2) return wallMs;
  return wallMs > median + peerTimeDefaults.leapMsMax ? median - windowMs : wallMs;
}

function reservedByOthers(
  stored: readonly StoredWorker[],
  ownWorker: number | undefined,
): { readonly median: number | undefined; readonly count: number } {
  const reserved = stored
    .filter(({ held, worker }) => held && worker !== ownWorker)
    .map(({ record }) => record.reservedUntilMs)
    .sort((a, b) => a - b);
  return { median: reserved[Math.floor(reserved.length / 2)], count: reserved.length };
}
