import { type IdLayout, idLayout } from "./layout.ts";

/** Twitter's epoch: 2010-11-04T01:42:54.657Z. 41 bits of milliseconds end on 2080-07-10. */
export const twitterEpochMs = 1_288_834_974_657;

/**
 * Snowflake: 41 bits of milliseconds, 10 of worker, 12 of sequence.
 *
 * Source: twitter-archive/snowflake, tag snowflake-2010.
 *
 * @param epochMs default Twitter's
 */
export function snowflakeLayout(
  epochMs: number = twitterEpochMs,
): IdLayout<"time" | "worker" | "sequence"> {
  return idLayout({ name: "snowflake", epochMs, bits: { time: 41, worker: 10, sequence: 12 } });
}

/**
 * Instagram: milliseconds since 2011-08-24, 13 bits of logical shard, 10 of sequence. Its 41st bit
 * of time is a signed column's sign, so 40 are used: until 2046-06-27.
 *
 * Source: Instagram Engineering, "Sharding & IDs at Instagram" (2012).
 */
export const instagramLayout: IdLayout<"time" | "shard" | "sequence"> = idLayout({
  name: "instagram",
  epochMs: 1_314_220_021_721,
  bits: { time: 40, shard: 13, sequence: 10 },
});

/**
 * The simple key: Unix seconds (52 bits, the highest of them the sign) and 12 bits of sequence, for
 * one process. Exact as a JavaScript number until the year 71654.
 */
export const simpleKeyLayout: IdLayout<"time" | "sequence"> = idLayout({
  name: "simple key",
  epochMs: 0,
  unitMs: 1_000,
  bits: { time: 51, sequence: 12 },
});

/** The simple key with 4 of its 12 bits for the worker: 16 processes, 256 ids a second each. */
export const simpleKeyWorkerLayout: IdLayout<"time" | "worker" | "sequence"> = idLayout({
  name: "simple key, workers",
  epochMs: 0,
  unitMs: 1_000,
  bits: { time: 51, worker: 4, sequence: 8 },
});

/** Slots that a sharded id tells apart: as many as a placement can ever have without new ids. */
export const shardedIdSlots = 8_192;

/**
 * An id that finds its shard: 13 bits of the slot of its owner's hash, whatever machine holds that
 * slot today, so moving slots, and doubling 1,024 of them up to 8,192, needs no new ids.
 *
 * 13 + 6 bits of worker leave 3 for the sequence beside 41 of milliseconds. That is enough because
 * the sequence counts for each slot by itself: 8,000 ids a second for one slot and worker, and a
 * burst borrows the milliseconds that follow. A 128-bit form would not fit a bigint column, and
 * 10 bits of slot would stay 1,024 for ever.
 *
 * @param epochMs default 2026-01-01, which ends on 2095-09-07
 */
export function shardedLayout(
  epochMs: number = Date.UTC(2026, 0, 1),
): IdLayout<"time" | "slot" | "worker" | "sequence"> {
  return idLayout({
    name: "sharded",
    epochMs,
    bits: { time: 41, slot: 13, worker: 6, sequence: 3 },
  });
}
