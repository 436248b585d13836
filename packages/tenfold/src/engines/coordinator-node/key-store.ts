import type { KeyValue } from "../etcd/messages.ts";
import { encodeDelete, encodePut } from "./change-wire.ts";
import { GrpcError, refusal } from "./grpc-error.ts";
import { type KeyRange, keyText } from "./key-range.ts";
import type { CoordinatorNodeLimits } from "./limits.ts";
import { sortedKeys } from "./sorted-keys.ts";

/** An entry and its place among the changes of its revision, which etcd's hash is made of. */
export interface StoredEntry extends KeyValue {
  readonly sub: number;
}

/** One key's change at one revision. */
export interface StoreEvent {
  readonly key: string;
  /** After a put the entry; after a delete undefined. */
  readonly now: StoredEntry | undefined;
  readonly before: StoredEntry | undefined;
  /** As it goes to the disk and to watchers: encoded once. */
  readonly wire: Uint8Array;
}

/** All changes of one revision. */
export interface Revised {
  readonly revision: bigint;
  readonly events: readonly StoreEvent[];
}

/** A change as the store takes it; the caller has checked the request's form. */
export type StoreChange = StorePut | { readonly delete: string };

export interface StorePut {
  readonly put: Uint8Array;
  readonly value: Uint8Array;
  readonly lease: bigint;
}

/** The map as of one revision. */
export interface StoreView {
  readonly revision: bigint;
  get(key: string): StoredEntry | undefined;
  /** In the order of the keys. */
  range(range: KeyRange): readonly StoredEntry[];
  /** How many keys the range holds, without gathering them. */
  count(range: KeyRange): number;
}

/** The map as of now. Knows nothing of the disk, leases or watchers. */
export interface KeyStore extends StoreView {
  /** Starts the revision of one request: changes made through it share it. */
  begin(): StoreWrite;
  /** Takes back the latest revision: it did not reach the disk. */
  takeBack(revised: Revised): void;
}

export interface StoreWrite {
  /** What was changed so far. */
  readonly events: readonly StoreEvent[];
  /** @throws GrpcError when a limit is reached; the write must then be abandoned by `undo` */
  apply(change: StoreChange): StoreEvent | undefined;
  /** What was changed; undefined when nothing was, and the revision then stays. */
  end(): Revised | undefined;
  undo(): void;
}

export type KeyStoreLimits = Pick<
  CoordinatorNodeLimits,
  "keysMax" | "dataBytesMax" | "keyBytesMax" | "valueBytesMax"
>;

export function keyStore(
  initial: { readonly revision: bigint; readonly entries: readonly StoredEntry[] },
  limits: KeyStoreLimits,
): KeyStore {
  const entries = new Map(initial.entries.map((entry) => [keyText(entry.key), entry]));
  const keys = sortedKeys(entries.keys());
  let revision = initial.revision;
  let dataBytes = initial.entries.reduce((sum, entry) => sum + sizeOf(entry), 0);

  const set = (key: string, entry: StoredEntry | undefined): void => {
    const before = entries.get(key);
    dataBytes += sizeOf(entry) - sizeOf(before);
    if (entry === undefined) {
      entries.delete(key);
      keys.delete(key);
    } else {
      entries.set(key, entry);
      if (before === undefined) keys.add(key);
    }
  };
  const restore = (events: readonly StoreEvent[]): void => {
    for (const event of [...events].reverse()) set(event.key, event.before);
  };
  const namesIn = (range: KeyRange): readonly string[] => {
    if (!("only" in range)) return keys.range(range.start, range.end);
    return entries.has(range.only) ? [range.only] : [];
  };
  const put = (change: StorePut, at: bigint, sub: number): StoreEvent => {
    const key = keyText(change.put);
    const before = entries.get(key);
    if (change.put.length > limits.keyBytesMax) throw tooLarge("key", limits.keyBytesMax);
    if (change.value.length > limits.valueBytesMax) throw tooLarge("value", limits.valueBytesMax);
    // Copies: what came from the wire shares its memory with the whole chunk it arrived in.
    const now: StoredEntry = {
      key: before?.key ?? Uint8Array.from(change.put),
      value: Uint8Array.from(change.value),
      createRevision: before?.createRevision ?? at,
      modRevision: at,
      version: (before?.version ?? 0n) + 1n,
      lease: change.lease,
      sub,
    };
    const isFull = before === undefined && entries.size >= limits.keysMax;
    if (isFull || dataBytes + sizeOf(now) - sizeOf(before) > limits.dataBytesMax) {
      throw refusal("noSpace");
    }
    set(key, now);
    return { key, now, before, wire: encodePut(now) };
  };
  const remove = (key: string, at: bigint): StoreEvent | undefined => {
    const before = entries.get(key);
    if (before === undefined) return undefined;
    set(key, undefined);
    return { key, now: undefined, before, wire: encodeDelete(before.key, at) };
  };

  return {
    get revision() {
      return revision;
    },
    get: (key) => entries.get(key),
    range: (range) => namesIn(range).map((key) => entries.get(key) as StoredEntry),
    count: (range) => namesIn(range).length,
    begin() {
      const at = revision + 1n;
      const events: StoreEvent[] = [];
      return {
        events,
        apply(change) {
          const event =
            "put" in change ? put(change, at, events.length) : remove(change.delete, at);
          if (event !== undefined) events.push(event);
          return event;
        },
        end() {
          if (events.length === 0) return undefined;
          revision = at;
          return { revision: at, events };
        },
        undo: () => restore(events),
      };
    },
    takeBack(revised) {
      restore(revised.events);
      revision = revised.revision - 1n;
    },
  };
}

/** What an entry counts for: its bytes and a share for the objects around them. */
function sizeOf(entry: KeyValue | undefined): number {
  const overheadBytes = 128;
  return entry === undefined ? 0 : entry.key.length + entry.value.length + overheadBytes;
}

function tooLarge(what: string, bytesMax: number): GrpcError {
  const { status, message } = refusal("requestTooLarge");
  return new GrpcError(status, `${message}: the ${what} may have ${bytesMax} bytes at most`);
}
