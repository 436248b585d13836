import type { Entry } from "../../coordination/coordinator.ts";
import type { KeyValue } from "./messages.ts";

const toBytes = new TextEncoder();
const toText = new TextDecoder();

export function keyBytes(key: string): Uint8Array {
  return toBytes.encode(key);
}

export function keyOf(kv: Pick<KeyValue, "key">): string {
  return toText.decode(kv.key);
}

export function entryOf(kv: KeyValue): Entry {
  return {
    key: keyOf(kv),
    value: toText.decode(kv.value),
    createRevision: kv.createRevision,
    revision: kv.modRevision,
    sessionId: kv.lease === 0n ? undefined : kv.lease.toString(),
  };
}

const everything = Uint8Array.of(0);

/**
 * All keys with the prefix: up to the prefix with its last byte raised. UTF-8 has no byte 0xFF, so
 * there is always one to raise; without a prefix all keys from the lowest on.
 */
export function prefixRange(prefix: string): { key: Uint8Array; rangeEnd: Uint8Array } {
  const key = keyBytes(prefix);
  if (key.length === 0) return { key: everything, rangeEnd: everything };
  const rangeEnd = Uint8Array.from(key);
  rangeEnd[key.length - 1] = (key[key.length - 1] as number) + 1;
  return { key, rangeEnd };
}
