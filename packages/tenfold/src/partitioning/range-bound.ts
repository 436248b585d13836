import { hexOf } from "./hex.ts";
import type { PartitionKey } from "./key-map.ts";
import { invalidKey } from "./placement-error.ts";

/** The end of the last row: no end. */
export const openEnd = -1;

/** A whole number from 0 (as a `number` up to 2^53 − 1), or bytes in lexicographic order. */
export type RangeBound = bigint | number | Uint8Array;

/** What a table's bounds are: all of one kind. */
export type BoundKind = "integer" | "bytes";

const decimal = /^(?:0|-?[1-9][0-9]{0,38})$/;
const utf8 = new TextEncoder();

/** As JSON carries a bound: decimal digits, or two hexadecimal digits a byte. */
export function boundText(bound: bigint | Uint8Array): string {
  return typeof bound === "bigint" ? bound.toString() : hexOf(bound);
}

/** A key as what the bounds of a table are. @throws TENFOLD_PARTITIONING_KEY_INVALID */
export function comparableKey(key: PartitionKey, kind: BoundKind): bigint | Uint8Array {
  if (kind === "integer") {
    if (typeof key === "bigint") return key;
    if (typeof key === "string" && decimal.test(key)) return BigInt(key);
    throw invalidKey("a bigint or its decimal text", key);
  }
  if (typeof key === "string") return utf8.encode(key);
  if (key instanceof Uint8Array) return key;
  throw invalidKey("text or bytes", key);
}

/** Negative when a comes first; the two are of one kind. */
export function compareBounds(a: bigint | Uint8Array, b: bigint | Uint8Array): number {
  if (typeof a === "bigint" || typeof b === "bigint") return a < b ? -1 : a > b ? 1 : 0;
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
