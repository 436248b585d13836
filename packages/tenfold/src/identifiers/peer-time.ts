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
  const reserved = stored
    .filter(({ held, worker }) => held && worker !== ownWorker)
    .map(({ record }) => record.reservedUntilMs)
    .sort((a, b) => a - b);
  const median = reserved[Math.floor(reserved.length / 2)];
  return median !== undefined && wallMs > median + peerTimeDefaults.leapMsMax;
}
