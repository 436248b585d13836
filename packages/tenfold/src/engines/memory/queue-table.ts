import {
  type MessageRow,
  messageStates,
  noCounters,
  type QueueCounters,
  type QueueTable,
} from "../../queueing/queue-table.ts";
import { type SortedList, sortedList } from "./sorted-list.ts";

interface Entry {
  sequence: number;
  dueMs: number;
  completion: number;
  sort: string;
}

/** The messages of one key: those that are open by sequence, those that are not done by sort. */
interface Lane {
  readonly open: SortedList<Entry>;
  readonly pending: SortedList<Entry>;
}

const { leased, delayed, done, dead } = messageStates;
const bySequence = (a: Entry, b: Entry): number => a.sequence - b.sequence;
const byDue = (a: Entry, b: Entry): number => a.dueMs - b.dueMs || a.sequence - b.sequence;
// By code point, as SQLite compares UTF-8; `<` would compare UTF-16 units.
const bySort = (a: Entry, b: Entry): number => Buffer.compare(utf8(a.sort), utf8(b.sort));
const byCompletion = (a: Entry, b: Entry): number => a.completion - b.completion;
const nothing: Entry = { sequence: 0, dueMs: 0, completion: 0, sort: "" };
const named = (sort: string): Entry => ({ ...nothing, sort });
const utf8 = (text: string): Buffer => Buffer.from(text);

/** A message table on the heap, for one process and for tests. Rows go in and out as copies. */
export function memoryQueueTable(): QueueTable {
  const rows = new Map<number, MessageRow>();
  const sequences = new Map<string, number>();
  const lanes = new Map<string, Lane>();
  const states = Object.values(messageStates).map(() => sortedList<Entry>(bySequence));
  const timed = sortedList<Entry>(byDue);
  const finished = sortedList<Entry>(byCompletion);
  let counters: QueueCounters = { ...noCounters };

  const idempotencyName = (key: string, name: string): string => JSON.stringify([key, name]);
  const copy = (sequence: number | undefined): MessageRow | undefined => {
    const row = sequence === undefined ? undefined : rows.get(sequence);
    return row && { ...row };
  };
  const copies = (entries: readonly Entry[]): MessageRow[] =>
    entries.map(({ sequence }) => copy(sequence) as MessageRow);
  const laneOf = (key: string): Lane => {
    const lane = lanes.get(key) ?? { open: sortedList(bySequence), pending: sortedList(bySort) };
    lanes.set(key, lane);
    return lane;
  };

  const link = (row: MessageRow): void => {
    const { state } = row;
    const lane = laneOf(row.key);
    states[state]?.add(row);
    if (state === leased || state === delayed) timed.add(row);
    if (state !== done && state !== dead) lane.open.add(row);
    (state === done ? finished : lane.pending).add(row);
  };
  const unlink = (row: MessageRow): void => {
    const lane = laneOf(row.key);
    for (const list of [states[row.state], timed, lane.open, lane.pending]) list?.remove(row);
    if (row.state === done) finished.remove(row);
    if (lane.pending.size === 0) lanes.delete(row.key);
  };

  return {
    insert(row) {
      const stored = { ...row };
      rows.set(row.sequence, stored);
      sequences.set(idempotencyName(row.key, row.idempotencyKey), row.sequence);
      link(stored);
    },
    update(row) {
      const stored = rows.get(row.sequence) as MessageRow;
      unlink(stored);
      Object.assign(stored, row);
      link(stored);
    },
    remove(sequence) {
      const row = rows.get(sequence) as MessageRow;
      unlink(row);
      rows.delete(sequence);
      sequences.delete(idempotencyName(row.key, row.idempotencyKey));
    },
    bySequence: copy,
    byIdempotencyKey: (key, name) => copy(sequences.get(idempotencyName(key, name))),
    isPending(key, sort) {
      return lanes.get(key)?.pending.after(named(sort), 1)[0]?.sort === sort;
    },
    laneHead: (key) => copy(lanes.get(key)?.open.first()?.sequence),
    inState(state, after, limit) {
      const list = states[state] as SortedList<Entry>;
      return copies(list.after({ ...nothing, sequence: after + 1 }, limit));
    },
    completed(after, limit) {
      return copies(finished.after({ ...nothing, completion: after + 1 }, limit));
    },
    due(untilMs, limit) {
      const soonest = timed.after(undefined, limit);
      return copies(soonest.filter(({ dueMs }) => dueMs <= untilMs));
    },
    nextDueMs: () => timed.first()?.dueMs,
    pending(key, before, limit) {
      const list = lanes.get(key)?.pending;
      return copies(list?.before(before === undefined ? undefined : named(before), limit) ?? []);
    },
    loadCounters: () => ({ ...counters }),
    saveCounters(changed) {
      counters = { ...changed };
    },
  };
}
