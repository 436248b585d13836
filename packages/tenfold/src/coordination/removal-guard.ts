import { numberOption } from "../runtime/options.ts";

/** When removals from a map are believed at once, and when they wait to be confirmed. */
export interface RemovalRules {
  /** So many may vanish at once, 0 … 10^6, where nothing is in doubt. */
  readonly atOnceMax: number;
  /** Or this share of the greatest size within the window, 0 … 1; in doubt this alone. */
  readonly atOnceShare: number;
  /** Removals one by one add up over this time: 0 … 600,000. */
  readonly windowMs: number;
  /** For so long after a gap in what was heard, removals are in doubt: 0 … 600,000. */
  readonly doubtMs: number;
  /** Between the two reads that must agree that something is gone: 0 … 600,000. */
  readonly confirmAfterMs: number;
}

export const removalRulesDefaults: RemovalRules = Object.freeze({
  /** A host of a small fleet, or two that crash together: believed. */
  atOnceMax: 2,
  /** Eureka evicts at most this share of its registry in one run. */
  atOnceShare: 0.15,
  windowMs: 10_000,
  doubtMs: 10_000,
  /** After an outage processes open sessions and register again within about two seconds. */
  confirmAfterMs: 5_000,
});

/**
 * Holds back removals that look like the coordinator's trouble: after an outage it may list few or
 * none of those who are there, because their sessions ended with it. What is held back is dropped
 * when two reads, some time apart, agree that it is gone; what comes back is free again. Names
 * only; whoever drives it keeps the entries.
 */
export interface RemovalGuard {
  /** What readers still see although the coordinator does not list it. */
  readonly heldBack: ReadonlySet<string>;
  /** When to read the map again to have removals confirmed; undefined while none is held back. */
  readonly nextReadAt: number | undefined;
  /** Something may have been missed: from now on removals are in doubt for `doubtMs`. */
  gap(now: number): void;
  /** The coordinator ended the process's session, or is gone: in doubt until the next `gap`. */
  outage(): void;
  /**
   * A batch was heard.
   * @param size how many readers see with what it put and before what it removed, those held back
   *   included
   * @returns which of `removed` to drop now; the rest is held back
   */
  heard(
    batch: { readonly put: readonly string[]; readonly removed: readonly string[] },
    size: number,
    now: number,
  ): readonly string[];
  /** The map was read. @returns what to drop now */
  read(isListed: (name: string) => boolean, now: number): readonly string[];
}

export function removalGuard(options: Partial<RemovalRules> = {}): RemovalGuard {
  const rules = checked({ ...removalRulesDefaults, ...options });
  /** By name when a read first found it gone. */
  const heldBack = new Map<string, number | undefined>();
  /** Sizes that were the greatest since they were seen, greatest first. */
  let peaks: readonly { readonly size: number; readonly at: number }[] = [];
  let doubtEnd = Number.NEGATIVE_INFINITY;

  const peakOf = (size: number, now: number): number => {
    // A map of one size, as most are most of the time.
    if (peaks.length === 1 && peaks[0]?.size === size) {
      peaks = [{ size, at: now }];
      return size;
    }
    const recent = peaks.filter((peak) => peak.size > size && now - peak.at <= rules.windowMs);
    peaks = [...recent, { size, at: now }];
    return peaks[0]?.size ?? size;
  };
  return {
    get heldBack() {
      return new Set(heldBack.keys());
    },
    get nextReadAt() {
      if (heldBack.size === 0) return undefined;
      const dues = [...heldBack.values()].map((gone) =>
        gone === undefined ? Number.NEGATIVE_INFINITY : gone + rules.confirmAfterMs,
      );
      return Math.min(...dues);
    },
    gap(now) {
      doubtEnd = now + rules.doubtMs;
    },
    outage() {
      doubtEnd = Number.POSITIVE_INFINITY;
    },
    heard({ put, removed }, size, now) {
      for (const name of put) heldBack.delete(name);
      const peak = peakOf(size, now);
      if (removed.length === 0) return [];
      const share = Math.floor(peak * rules.atOnceShare);
      const most = now < doubtEnd ? share : Math.max(rules.atOnceMax, share);
      const left = size - heldBack.size - removed.length;
      if (peak - left <= most) return removed;
      for (const name of removed) heldBack.set(name, undefined);
      return [];
    },
    read(isListed, now) {
      const gone: string[] = [];
      for (const [name, since] of heldBack) {
        if (isListed(name)) heldBack.delete(name);
        else if (since === undefined) heldBack.set(name, now);
        else if (now - since >= rules.confirmAfterMs) gone.push(name);
      }
      for (const name of gone) heldBack.delete(name);
      // They are believed: what goes after them is judged by itself.
      if (gone.length > 0) peaks = [];
      return gone;
    },
  };
}

function checked(rules: RemovalRules): RemovalRules {
  numberOption("atOnceMax", rules.atOnceMax, { min: 0, max: 1_000_000 });
  numberOption("atOnceShare", rules.atOnceShare, { min: 0, max: 1, whole: false });
  for (const name of ["windowMs", "doubtMs", "confirmAfterMs"] as const) {
    numberOption(name, rules[name], { min: 0, max: 600_000 });
  }
  return rules;
}
