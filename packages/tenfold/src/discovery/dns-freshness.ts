import type { Random } from "../runtime/random.ts";

export interface DnsFreshnessLimits {
  /** An answer is used for its time to live, but no shorter than this: 100 … 3,600,000. */
  readonly ttlMinMs: number;
  /** … and no longer than this: 100 … 86,400,000. Also the longest wait between tries. */
  readonly ttlMaxMs: number;
  /** While no server answers, the last list is used this long after its time: 0 … 604,800,000. */
  readonly staleMaxMs: number;
  /** While servers say that there is nothing, the last list is used this long: 0 … 604,800,000. */
  readonly negativeMaxMs: number;
}

export const dnsFreshnessDefaults: DnsFreshnessLimits = Object.freeze({
  ttlMinMs: 1_000,
  /** A record may say a day; whoever moves a service should not have to wait for it. */
  ttlMaxMs: 30_000,
  /** RFC 8767 lets resolvers serve stale answers for days; addresses of a fleet age faster. */
  staleMaxMs: 3_600_000,
  /** An empty answer may be a blunder, but its addresses may belong to somebody else soon. */
  negativeMaxMs: 60_000,
});

/** How good the last list still is, and when to ask again. Fed with time; reads no clock. */
export interface DnsFreshness {
  /** @param ttlMs of the records that were found */
  found(ttlMs: number, nowMs: number): void;
  /** Nothing was found. @param kind as `DnsAnswer.kind` */
  missed(kind: "none" | "failed", nowMs: number): void;
  /** When to ask next, on the clock that it was fed with. */
  readonly askAtMs: number;
  /** May the last list still be used? */
  usable(nowMs: number): boolean;
  /** How old the last list is; undefined when there was none. */
  ageMs(nowMs: number): number | undefined;
}

export function dnsFreshness(
  limits: DnsFreshnessLimits,
  random: Pick<Random, "next">,
): DnsFreshness {
  const { ttlMinMs, ttlMaxMs, staleMaxMs, negativeMaxMs } = limits;
  let foundAtMs: number | undefined;
  let freshUntilMs = 0;
  let noneSinceMs: number | undefined;
  let misses = 0;
  let askAtMs = Number.NEGATIVE_INFINITY;

  /** Up to a tenth early, so that the processes of a fleet do not ask together. */
  const early = (delayMs: number): number => delayMs * (1 - random.next() / 10);

  return {
    found(ttlMs, nowMs) {
      foundAtMs = nowMs;
      noneSinceMs = undefined;
      misses = 0;
      const keptMs = Math.min(Math.max(ttlMs, ttlMinMs), ttlMaxMs);
      freshUntilMs = nowMs + keptMs;
      askAtMs = nowMs + early(keptMs);
    },
    missed(kind, nowMs) {
      // A server that fails in between does not take the "there is nothing" of another back.
      if (kind === "none") noneSinceMs ??= nowMs;
      askAtMs = nowMs + early(Math.min(ttlMinMs * 2 ** misses, ttlMaxMs));
      misses = Math.min(misses + 1, 30);
    },
    get askAtMs() {
      return askAtMs;
    },
    usable(nowMs) {
      if (foundAtMs === undefined || nowMs > freshUntilMs + staleMaxMs) return false;
      return noneSinceMs === undefined || nowMs - noneSinceMs < negativeMaxMs;
    },
    ageMs: (nowMs) => (foundAtMs === undefined ? undefined : nowMs - foundAtMs),
  };
}
