import type { Random } from "../runtime/random.ts";

export const backOffDefaults: { readonly firstMs: number; readonly mostMs: number } = Object.freeze(
  {
    /** A restarted server is back within this or twice this. */
    firstMs: 50,
    /** Short enough that a recovered coordinator is used at once, long enough not to storm it. */
    mostMs: 2_000,
  },
);

export interface BackOff {
  /** Milliseconds to wait before the next try. */
  next(): number;
  /** The last try went well. */
  reset(): void;
}

/** Doubling waits, each drawn from its upper half so that clients spread out after an outage. */
export function backOff(random: Pick<Random, "next">): BackOff {
  let ceilingMs = backOffDefaults.firstMs;
  return {
    next() {
      const waitMs = ceilingMs * (0.5 + random.next() / 2);
      ceilingMs = Math.min(ceilingMs * 2, backOffDefaults.mostMs);
      return waitMs;
    },
    reset() {
      ceilingMs = backOffDefaults.firstMs;
    },
  };
}
