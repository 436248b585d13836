import { numberOption } from "../runtime/options.ts";
import { murmur3x64 } from "./murmur3-x64.ts";
import { productHigh } from "./word64.ts";

export const jumpLimits: { readonly bucketsMax: number } = Object.freeze({
  bucketsMax: 0x7fff_ffff,
});

/**
 * Jump consistent hash (Lamping and Veach 2014): a bucket from 0 to below `buckets`. One bucket
 * more takes keys from all others alike and moves none between them; only the last bucket can go.
 * So it is for numbered shards, not for servers that die. O(ln buckets), no memory.
 *
 * @param key a number is taken as it is, modulo 2^64, as in the paper; text and bytes by the first
 * 64 bits of their murmur3x64.
 * @param buckets 1 … 2^31 − 1
 * @throws TENFOLD_OPTION_INVALID
 */
export function jump(key: bigint | Uint8Array | string, buckets: number): number {
  if (typeof key !== "bigint") {
    const [high, low] = murmur3x64(key);
    return jumpWords(high, low, buckets);
  }
  const bits = BigInt.asUintN(64, key);
  return jumpWords(Number(bits >> 32n), Number(bits & 0xffff_ffffn), buckets);
}

/**
 * `jump` of a 64-bit key in two words of 32 bits: eight times as fast as with BigInt.
 * @throws TENFOLD_OPTION_INVALID
 */
export function jumpWords(high: number, low: number, buckets: number): number {
  numberOption("buckets", buckets, { min: 1, max: jumpLimits.bucketsMax });
  let a = high;
  let b = low;
  let bucket = 0;
  for (let next = 0; next < buckets; ) {
    bucket = next;
    // key = key * 2862933555777941757 + 1
    a = productHigh(a, b, 0x27bb2ee6, 0x87b0b0fd);
    b = (Math.imul(b, 0x87b0b0fd) + 1) | 0;
    if (b === 0) a = (a + 1) | 0;
    next = Math.floor((bucket + 1) * (0x8000_0000 / ((a >>> 1) + 1)));
  }
  return bucket;
}
