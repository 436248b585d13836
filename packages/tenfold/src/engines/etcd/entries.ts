import type { Entry } from "../../coordination/coordinator.ts";
import { fencingToken } from "../../coordination/fencing-token.ts";
import { TenfoldError } from "../../runtime/errors.ts";
import type { KeyValue } from "./messages.ts";

const toBytes = new TextEncoder();
/** Exact: neither replaces what is no UTF-8 nor drops a byte order mark. */
const toText = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function keyBytes(key: string): Uint8Array {
  return toBytes.encode(key);
}

/** @throws TENFOLD_COORDINATION_ANSWER_INVALID for bytes that another program wrote */
export function textOf(bytes: Uint8Array): string {
  try {
    return toText.decode(bytes);
  } catch (cause) {
    const start = Buffer.from(bytes.subarray(0, 40)).toString("latin1");
    throw new TenfoldError(
      "TENFOLD_COORDINATION_ANSWER_INVALID",
      `A key or value is no UTF-8 text: ${JSON.stringify(start)}…; see what else writes there.`,
      { cause },
    );
  }
}

export function keyOf(kv: Pick<KeyValue, "key">): string {
  return textOf(kv.key);
}

/** @param generation of the store that it was read from */
export function entryOf(kv: KeyValue, generation: number): Entry {
  return {
    key: keyOf(kv),
    value: textOf(kv.value),
    createRevision: kv.createRevision,
    revision: kv.modRevision,
    sessionId: kv.lease === 0n ? undefined : kv.lease.toString(),
    token: fencingToken(generation, kv.createRevision),
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
