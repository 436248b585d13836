import { eventType, keyValue } from "../etcd/messages.ts";
import {
  bool,
  bytes,
  type Decoded,
  decode,
  type Encodable,
  encode,
  int32,
  int64,
  message,
  repeatedMessage,
  string,
  uint64,
} from "../etcd/protobuf.ts";
import { decodeEvents } from "./change-wire.ts";
import { neverCompacted } from "./history.ts";
import { keyText } from "./key-range.ts";
import type { Revised, StoredEntry, StoreEvent } from "./key-store.ts";

export interface StoredLease {
  readonly id: bigint;
  readonly ttlSeconds: bigint;
}

/** All that a node is, at one moment. */
export interface JournalState {
  readonly clusterId: bigint;
  /** Whose data it is; empty when nobody said. */
  readonly name: string;
  /** How often it was opened. */
  readonly starts: bigint;
  readonly revision: bigint;
  readonly compacted: bigint;
  /** As of `revision`. */
  readonly entries: readonly StoredEntry[];
  /** Every revision from `compacted` on. */
  readonly revised: readonly Revised[];
  readonly leases: readonly StoredLease[];
}

const storedRevised = { revision: int64(1), events: bytes(2) } as const;
const storedEntry = { kv: message(1, keyValue), sub: int32(2) } as const;

/** One frame of the log. The first ones tell a whole state, the others what came after. */
export const logRecord = {
  clusterId: uint64(1),
  name: string(2),
  starts: uint64(3),
  compacted: message(4, { revision: int64(1) } as const),
  /** The map as of `compacted`. */
  entries: repeatedMessage(5, storedEntry),
  revised: repeatedMessage(6, storedRevised),
  granted: repeatedMessage(7, { id: int64(1), ttlSeconds: int64(2) } as const),
  ended: repeatedMessage(8, { id: int64(1) } as const),
  revision: int64(9),
  /** The state is told. */
  isWhole: bool(10),
} as const;
type LogRecord = Decoded<typeof logRecord>;

/**
 * The state that a log's records lead to.
 * @throws RangeError when they make no sense
 */
export function replay(records: Iterable<Uint8Array>): JournalState {
  let { clusterId, name, starts, compacted, revision } = { ...empty };
  let isWhole = false;
  const entries = new Map<string, StoredEntry>();
  const leases = new Map<bigint, StoredLease>();
  let revised: Revised[] = [];

  const apply = (record: LogRecord): void => {
    if (record.clusterId !== 0n) ({ clusterId, name } = record);
    if (record.starts !== 0n) starts = record.starts;
    if (record.compacted !== undefined) compacted = record.compacted.revision;
    for (const { kv, sub } of record.entries) {
      if (kv === undefined) throw new RangeError("an entry without content");
      entries.set(keyText(kv.key), ownedEntry(kv, sub));
    }
    for (const one of record.revised) {
      const isNext = revised.length === 0 || one.revision === revision + 1n;
      if (!isNext) throw new RangeError(`revision ${one.revision} follows on ${revision}`);
      // What stands behind the told state came after it, whatever its own commit compacted.
      revised.push(revisedOf(one, entries, isWhole || one.revision > compacted));
      revision = one.revision;
    }
    for (const lease of record.granted) leases.set(lease.id, lease);
    for (const { id } of record.ended) leases.delete(id);
    if (record.isWhole) {
      if (revised.length > 0 && record.revision !== revision) {
        throw new RangeError(`revision ${record.revision} is told, ${revision} is there`);
      }
      ({ revision } = record);
      isWhole = true;
    }
  };
  for (const content of records) apply(decode(logRecord, content));
  if (!isWhole) throw new RangeError("the state is not told to its end");
  revised = revised.filter((one) => one.revision >= compacted);
  const all = { entries: [...entries.values()], leases: [...leases.values()] };
  return { clusterId, name, starts, revision, compacted, revised, ...all };
}

const empty = {
  clusterId: 0n,
  name: "",
  starts: 0n,
  compacted: neverCompacted,
  // etcd's first revision is 1: 0 means "none" in requests.
  revision: 1n,
};

/** A store that was never written. */
export function newState(clusterId: bigint, name: string): JournalState {
  return { ...empty, clusterId, name, entries: [], revised: [], leases: [] };
}

/** @param applies false for the oldest one kept: the entries already show it */
function revisedOf(
  { revision, events }: Decoded<typeof storedRevised>,
  entries: Map<string, StoredEntry>,
  applies: boolean,
): Revised {
  let at = 0;
  const told = decodeEvents(events).map((event, sub): StoreEvent => {
    if (event.kv === undefined) throw new RangeError("an event without content");
    const key = keyText(event.kv.key);
    const before = applies ? entries.get(key) : undefined;
    const isPut = event.type === eventType.put;
    const now = isPut ? ownedEntry(event.kv, sub, before?.key) : undefined;
    if (applies && now !== undefined) entries.set(key, now);
    else if (applies) entries.delete(key);
    const end = at + wireLength(events, at);
    // From Node's pool, as those of new changes: a buffer of its own each would be dearer.
    const wire = Buffer.from(events.subarray(at, end));
    at = end;
    return { key, now, before, wire };
  });
  return { revision, events: told };
}

/** Of the field that begins there: its key of one byte, its length, its content. */
function wireLength(wire: Uint8Array, start: number): number {
  let length = 0;
  let at = start + 1;
  for (let shift = 0; ; shift += 7) {
    const byte = wire[at++] ?? 0;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return at - start + length;
  }
}

/** What was read shares its memory with the whole file. */
function ownedEntry(
  kv: Decoded<typeof keyValue>,
  sub: number,
  key: Uint8Array = Uint8Array.from(kv.key),
): StoredEntry {
  return { ...kv, key, value: Uint8Array.from(kv.value), sub };
}

/** Content for one frame at most; entries of a megabyte make larger ones. */
const tellBytes = 262_144;

/** The records from which `replay` makes the state again, a slice of the work at a time. */
export function* tellState(state: JournalState): Generator<Uint8Array> {
  const { clusterId, name, starts, compacted, revision, leases } = state;
  yield encode(logRecord, { clusterId, name, starts, compacted: { revision: compacted } });
  for (const slice of slices(entriesAtCompaction(state), ({ value }) => value.length)) {
    yield encode(logRecord, { entries: slice.map((kv) => ({ kv, sub: kv.sub })) });
  }
  const revised = state.revised.map(toldRevised);
  for (const slice of slices(revised, ({ events }) => events.length)) {
    yield encode(logRecord, { revised: slice });
  }
  yield encode(logRecord, { granted: leases, revision, isWhole: true });
}

export function toldRevised({ revision, events }: Revised): Encodable<typeof storedRevised> & {
  readonly events: Uint8Array;
} {
  const [first, ...others] = events;
  const isOne = first !== undefined && others.length === 0;
  return { revision, events: isOne ? first.wire : Buffer.concat(events.map(({ wire }) => wire)) };
}

function entriesAtCompaction({ entries, revised, compacted }: JournalState): StoredEntry[] {
  const all = new Map(entries.map((entry) => [keyText(entry.key), entry]));
  for (const { revision, events } of revised.toReversed()) {
    if (revision <= compacted) break;
    for (const { key, before } of events.toReversed()) {
      if (before === undefined) all.delete(key);
      else all.set(key, before);
    }
  }
  return [...all.values()];
}

function* slices<One>(all: readonly One[], sizeOf: (one: One) => number): Generator<One[]> {
  let slice: One[] = [];
  let size = 0;
  for (const one of all) {
    slice.push(one);
    size += sizeOf(one) + 64;
    if (size < tellBytes) continue;
    yield slice;
    slice = [];
    size = 0;
  }
  if (slice.length > 0) yield slice;
}
