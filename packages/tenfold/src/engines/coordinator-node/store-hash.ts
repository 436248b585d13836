import { keyValue } from "../etcd/messages.ts";
import { encode } from "../etcd/protobuf.ts";
import type { History } from "./history.ts";
import type { KeyStore, StoredEntry, StoreEvent } from "./key-store.ts";
import { viewAt } from "./past-view.ts";

const all = { start: "", end: undefined };

/**
 * etcd's hash of a store up to a revision (HashKV of mvcc/kvstore.go, 3.4): CRC-32C over every
 * change since the compaction, and the entries of before it that are still there. Two stores with
 * the same changes and the same compaction agree, a real etcd among them.
 */
export async function storeHash(
  store: KeyStore,
  history: History,
  revision: bigint,
): Promise<number> {
  const { compacted } = history;
  const since = history
    .kept()
    .filter((one) => one.revision > compacted && one.revision <= revision);
  const now = viewAt(store, history, revision).range(all);
  const oldest = compacted > 0n ? compacted : 1n;
  // etcd looks at what there is at the revision; when nothing is, it takes what there was.
  const kept = now.length > 0 ? now : viewAt(store, history, oldest).range(all);
  const old = kept.filter((entry) => entry.modRevision <= compacted);
  old.sort((a, b) => Number(a.modRevision - b.modRevision) || a.sub - b.sub);

  const sum = crc32c();
  sum.add(Buffer.from("key"));
  const breathe = sliced();
  for (const entry of old) {
    await breathe();
    addEntry(sum, entry);
  }
  for (const { revision: at, events } of since) {
    await breathe();
    for (const [sub, event] of events.entries()) addEvent(sum, event, at, sub);
  }
  return sum.value();
}

type Sum = ReturnType<typeof crc32c>;

function addEvent(sum: Sum, { key, now }: StoreEvent, revision: bigint, sub: number): void {
  if (now !== undefined) {
    addEntry(sum, now);
    return;
  }
  sum.add(revisionBytes(revision, sub, "t"));
  sum.add(encode(keyValue, { key: Buffer.from(key, "latin1") }));
}

function addEntry(sum: Sum, entry: StoredEntry): void {
  sum.add(revisionBytes(entry.modRevision, entry.sub, ""));
  sum.add(encode(keyValue, entry));
}

/** The key under which etcd keeps a change. */
function revisionBytes(revision: bigint, sub: number, mark: string): Uint8Array {
  const bytes = Buffer.alloc(17 + mark.length, "_");
  bytes.writeBigInt64BE(revision);
  bytes.writeBigInt64BE(BigInt(sub), 9);
  bytes.write(mark, 17);
  return bytes;
}

/** Lets others have their turn now and then. */
function sliced(): () => Promise<unknown> | undefined {
  let done = 0;
  return () => {
    done++;
    return done % 1_000 === 0 ? new Promise((resolve) => setImmediate(resolve)) : undefined;
  };
}

const castagnoli = 0x82f6_3b78;

function crc32c(): { add(bytes: Uint8Array): void; value(): number } {
  let state = 0xffff_ffff;
  return {
    add(bytes) {
      for (const byte of bytes) state = (table[(state ^ byte) & 0xff] ?? 0) ^ (state >>> 8);
    },
    value: () => (state ^ 0xffff_ffff) >>> 0,
  };
}

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ castagnoli : value >>> 1;
  return value;
});
