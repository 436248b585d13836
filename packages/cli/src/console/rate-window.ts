import { quantileOfBuckets } from "tenfold/telemetry";

import { bucketPrefix } from "./member-sample.ts";

export interface RateWindow {
  /** What counters grew by, into the tick that is open. */
  add(grown: ReadonlyMap<string, number>): void;
  /** Closes the tick. @param elapsedMs since the tick before */
  tick(elapsedMs: number): void;
  /** Growth a second over the last `rateTicks` ticks. */
  perSecond(name: string): number;
  /** Of the latency histogram over all kept ticks; undefined without calls. @param q 0 … 1 */
  quantileMs(q: number): number | undefined;
  /** The names that grew in the window. */
  names(): ReadonlySet<string>;
}

export const rateWindowDefaults: { readonly ticksKept: number; readonly rateTicks: number } =
  Object.freeze({
    /** Long enough for a 99th percentile of light traffic, short enough to be "now". */
    ticksKept: 10,
    rateTicks: 5,
  });

/** Rates and quantiles over a short sliding window of ticks. */
export function rateWindow(): RateWindow {
  const { ticksKept, rateTicks } = rateWindowDefaults;
  const ticks: { elapsedMs: number; grown: Map<string, number> }[] = [];
  let open = new Map<string, number>();
  return {
    add(grown) {
      for (const [name, value] of grown) open.set(name, (open.get(name) ?? 0) + value);
    },
    tick(elapsedMs) {
      ticks.push({ elapsedMs, grown: open });
      if (ticks.length > ticksKept) ticks.shift();
      open = new Map();
    },
    perSecond(name) {
      let elapsedMs = 0;
      let sum = 0;
      for (const tick of ticks.slice(-rateTicks)) {
        elapsedMs += tick.elapsedMs;
        sum += tick.grown.get(name) ?? 0;
      }
      return elapsedMs > 0 ? (sum * 1_000) / elapsedMs : 0;
    },
    quantileMs(q) {
      const buckets = new Map<number, number>();
      for (const { grown } of ticks) {
        for (const [name, value] of grown) {
          if (!name.startsWith(bucketPrefix)) continue;
          const bound = Number(name.slice(bucketPrefix.length));
          buckets.set(bound, (buckets.get(bound) ?? 0) + value);
        }
      }
      const seconds = quantileOfBuckets(buckets, q);
      return seconds === undefined ? undefined : seconds * 1_000;
    },
    names: () => new Set(ticks.flatMap(({ grown }) => [...grown.keys()])),
  };
}
