import { event, eventType, type KeyValue } from "../etcd/messages.ts";
import { type Decoded, decode, type Encodable, encode, repeatedMessage } from "../etcd/protobuf.ts";

/** The field of a WatchResponse that holds its events: so they also stand in the journal. */
const changes = { events: repeatedMessage(11, event) } as const;

const nothing = new Uint8Array(0);

/** @param entry what was put, or the key that was deleted at `modRevision` */
export function encodePut(entry: KeyValue, before?: KeyValue): Uint8Array {
  return encodeEvent({ type: eventType.put, kv: entry, prevKv: before });
}

export function encodeDelete(key: Uint8Array, modRevision: bigint, before?: KeyValue): Uint8Array {
  const kv = { key, modRevision, createRevision: 0n, version: 0n, value: nothing, lease: 0n };
  return encodeEvent({ type: eventType.delete, kv, prevKv: before });
}

function encodeEvent(one: Encodable<typeof event>): Uint8Array {
  // A copy: small buffers share 64 KB, which a kept one would keep with it.
  return Uint8Array.from(encode(changes, { events: [one] }));
}

/** The events in what `encodePut` and `encodeDelete` gave, put together. @throws RangeError */
export function decodeEvents(wire: Uint8Array): readonly Decoded<typeof event>[] {
  return decode(changes, wire).events;
}
