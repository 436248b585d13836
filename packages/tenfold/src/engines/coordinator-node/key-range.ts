/** Keys as strings of one character a byte: they compare as bytes do and work as map keys. */
export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}

/** One key, or from `start` up to but without `end` (undefined: to the last key). */
export type KeyRange =
  | { readonly only: string }
  | { readonly start: string; readonly end: string | undefined };

const toTheLast = "\0";

/** etcd's key and range_end: no end is one key, an end of one zero byte is all that follow. */
export function keyRange(key: Uint8Array, rangeEnd: Uint8Array): KeyRange {
  const start = keyText(key);
  if (rangeEnd.length === 0) return { only: start };
  const end = keyText(rangeEnd);
  return { start, end: end === toTheLast ? undefined : end };
}

export function inRange(range: KeyRange, key: string): boolean {
  if ("only" in range) return range.only === key;
  return key >= range.start && (range.end === undefined || key < range.end);
}

/** Different ranges have different names. */
export function rangeName(range: KeyRange): string {
  return JSON.stringify("only" in range ? [range.only] : [range.start, range.end ?? null]);
}
