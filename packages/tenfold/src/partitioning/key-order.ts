import { TenfoldError } from "../runtime/errors.ts";
import { invalidOption, numberOption } from "../runtime/options.ts";

export interface KeyOrderOptions {
  /** How many keys make one batch: 16 … 1,000,000. Default 1,024. */
  readonly batchKeys?: number;
  /** Keys count as ordered by time from this share of newcomers above all before: 0 … 1. */
  readonly shareMax?: number;
}

export const keyOrderDefaults: { readonly batchKeys: number; readonly shareMax: number } =
  Object.freeze({ batchKeys: 1024, shareMax: 0.5 });

/** Watches the keys of new rows and tells whether they come in the order of time. */
export interface KeyOrder {
  note(key: bigint): void;
  /**
   * Of the last whole batch, the share above every key of the batches before it; undefined until
   * there are two. About 0 for hashed or random keys, about 1 for Snowflake ids and sequences,
   * also when several writers interleave: only batches are compared.
   */
  readonly newcomersAbove: number | undefined;
  /** To warn by. */
  readonly timeOrdered: boolean;
  /** To refuse by. @throws TENFOLD_PARTITIONING_KEYS_TIME_ORDERED */
  check(): void;
}

/** @throws TENFOLD_OPTION_INVALID */
export function keyOrder(options: KeyOrderOptions = {}): KeyOrder {
  const { batchKeys, shareMax } = { ...keyOrderDefaults, ...options };
  numberOption("batchKeys", batchKeys, { min: 16, max: 1_000_000 });
  numberOption("shareMax", shareMax, { min: 0, max: 1, whole: false });
  let highestBefore: bigint | undefined;
  let highest: bigint | undefined;
  let seen = 0;
  let above = 0;
  let share: number | undefined;
  return {
    note(key) {
      if (highest === undefined || key > highest) highest = key;
      if (highestBefore !== undefined && key > highestBefore) above += 1;
      seen += 1;
      if (seen < batchKeys) return;
      if (highestBefore !== undefined) share = above / seen;
      highestBefore = highest;
      seen = 0;
      above = 0;
    },
    get newcomersAbove() {
      return share;
    },
    get timeOrdered() {
      return share !== undefined && share > shareMax;
    },
    check() {
      if (share === undefined || share <= shareMax) return;
      const percent = Math.round(share * 100);
      throw new TenfoldError(
        "TENFOLD_PARTITIONING_KEYS_TIME_ORDERED",
        `${percent} % of the newest ${batchKeys} keys are above all before them: as range keys ` +
          "they would all be written to the last shard.",
        { details: { newcomersAbove: share } },
      );
    },
  };
}

const word = 0xffff_ffffn;

/**
 * The 64 bits of an id in reverse, its own inverse: ids in order of time spread over all ranges
 * (Vitess calls it reverse_bits). What it gives up is reading neighbours in time from one range.
 *
 * @param id 0 … 2^64 − 1. @throws TENFOLD_OPTION_INVALID
 */
export function reversedBits(id: bigint): bigint {
  if (id < 0n || id >> 64n !== 0n) throw invalidOption("id", "0 … 2^64 − 1", id);
  const low = reversed32(Number(id & word));
  const high = reversed32(Number(id >> 32n));
  return (BigInt(low) << 32n) | BigInt(high);
}

function reversed32(bits: number): number {
  let v = ((bits >>> 1) & 0x55555555) | ((bits & 0x55555555) << 1);
  v = ((v >>> 2) & 0x33333333) | ((v & 0x33333333) << 2);
  v = ((v >>> 4) & 0x0f0f0f0f) | ((v & 0x0f0f0f0f) << 4);
  v = ((v >>> 8) & 0x00ff00ff) | ((v & 0x00ff00ff) << 8);
  return ((v >>> 16) | (v << 16)) >>> 0;
}
