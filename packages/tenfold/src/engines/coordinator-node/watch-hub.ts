import { watchFilter } from "../etcd/messages.ts";
import { encodeDelete, encodePut } from "./change-wire.ts";
import type { History } from "./history.ts";
import { inRange, type KeyRange, rangeName } from "./key-range.ts";
import type { Revised, StoreEvent } from "./key-store.ts";
import { type WatchIndex, watchIndex } from "./watch-index.ts";

export interface WatchOptions {
  readonly range: KeyRange;
  /** The first revision wanted; 0 means from now on. */
  readonly startRevision: bigint;
  readonly filters: readonly number[];
  readonly prevKv: boolean;
}

/** Events as they go over the wire: the same bytes for all who see the same. */
export interface WatchEvents {
  /** Everything up to here is told with this. */
  readonly revision: bigint;
  /** Each an `events` field of a WatchResponse. */
  readonly wires: readonly Uint8Array[];
}

/** Where a watch's events go. */
export interface WatchSink {
  /** False while the reader is behind: the hub then waits for `resume` and replays from history. */
  readonly ready: boolean;
  /** Whole revisions only, in order. */
  events(events: WatchEvents): void;
  /** The watch is over: history no longer reaches back to where it stands. */
  compacted(oldest: bigint): void;
}

export interface Watcher {
  /** True when everything up to the present was sent. */
  readonly inStep: boolean;
  /** Sends what was held back. */
  resume(): void;
  close(): void;
}

/**
 * All watches of a node. A slow reader holds no queue of its own: it is served from the history.
 */
export interface WatchHub {
  readonly size: number;
  open(options: WatchOptions, sink: WatchSink): Watcher;
  /** Call with the revisions that became durable, in order, when the history has them. */
  publish(revised: readonly Revised[]): void;
}

export interface WatchHubParts {
  readonly history: Pick<History, "compacted" | "at">;
  /** The newest revision that may be told. */
  readonly revision: () => bigint;
}

/** Enough for one answer to be small beside a connection's window; revisions are kept whole. */
const eventsPerAnswer = 1_000;
const bytesPerAnswer = 1_048_576;

/** Watches that see the same. */
interface Group {
  readonly options: WatchOptions;
  readonly members: Set<Member>;
}

interface Member {
  readonly sink: WatchSink;
  readonly group: Group;
  /** The first revision not told yet; only counts while `isBehind`, or when it is in the future. */
  next: bigint;
  isBehind: boolean;
}

export function watchHub({ history, revision }: WatchHubParts): WatchHub {
  const groups = new Map<string, Group>();
  const index = watchIndex<Group>();
  let size = 0;

  const leave = (member: Member): void => {
    const { members, options } = member.group;
    if (!members.delete(member)) return;
    size--;
    if (members.size > 0) return;
    groups.delete(groupName(options));
    index.delete(options.range, member.group);
  };
  const catchUp = (member: Member): void => {
    while (member.isBehind && member.sink.ready && member.group.members.has(member)) {
      if (member.next < history.compacted) {
        leave(member);
        member.sink.compacted(history.compacted);
        return;
      }
      const events = gather(history, member.group.options, member.next, revision());
      member.next = events.revision + 1n;
      member.isBehind = member.next <= revision();
      if (events.wires.length > 0) member.sink.events(events);
    }
  };
  const tell = (member: Member, first: bigint, events: WatchEvents): void => {
    if (member.isBehind) return;
    if (member.sink.ready && member.next <= first) {
      member.sink.events(events);
      return;
    }
    // It is served from the history: when it reads again, or from the revision it asked for.
    if (member.next < first) member.next = first;
    member.isBehind = member.next <= events.revision;
    catchUp(member);
  };
  return {
    get size() {
      return size;
    },
    open(options, sink) {
      const group = groupOf(groups, index, options);
      const next = options.startRevision > 0n ? options.startRevision : revision() + 1n;
      const member: Member = { sink, group, next, isBehind: next <= revision() };
      group.members.add(member);
      size++;
      return {
        get inStep() {
          return !member.isBehind;
        },
        resume: () => catchUp(member),
        close: () => leave(member),
      };
    },
    publish(revised) {
      const [first, last] = [revised[0]?.revision, revised.at(-1)?.revision];
      if (first === undefined || last === undefined) return;
      for (const [group, wires] of touched(index, revised)) {
        const events = { revision: last, wires };
        for (const member of [...group.members]) tell(member, first, events);
      }
    },
  };
}

function groupOf(
  groups: Map<string, Group>,
  index: WatchIndex<Group>,
  options: WatchOptions,
): Group {
  const name = groupName(options);
  const known = groups.get(name);
  if (known !== undefined) return known;
  const group = { options, members: new Set<Member>() };
  groups.set(name, group);
  index.add(options.range, group);
  return group;
}

function groupName({ range, filters, prevKv }: WatchOptions): string {
  return `${rangeName(range)} ${[...filters].sort()} ${prevKv}`;
}

/** What each group sees of the revisions. */
function touched(index: WatchIndex<Group>, revised: readonly Revised[]): Map<Group, Uint8Array[]> {
  const found = new Map<Group, Uint8Array[]>();
  for (const one of revised) {
    for (const event of one.events) {
      index.visit(event.key, (group) => {
        if (isFiltered(event, group.options)) return;
        const wires = found.get(group) ?? [];
        wires.push(wireOf(event, one.revision, group.options));
        found.set(group, wires);
      });
    }
  }
  return found;
}

function gather(
  history: Pick<History, "at">,
  options: WatchOptions,
  from: bigint,
  to: bigint,
): WatchEvents {
  const wires: Uint8Array[] = [];
  let bytes = 0;
  let next = from;
  while (next <= to && wires.length < eventsPerAnswer && bytes < bytesPerAnswer) {
    for (const event of history.at(next).events) {
      if (!inRange(options.range, event.key) || isFiltered(event, options)) continue;
      const wire = wireOf(event, next, options);
      wires.push(wire);
      bytes += wire.length;
    }
    next++;
  }
  return { revision: next - 1n, wires };
}

function isFiltered({ now }: StoreEvent, { filters }: WatchOptions): boolean {
  if (filters.length === 0) return false;
  return filters.includes(now === undefined ? watchFilter.noDelete : watchFilter.noPut);
}

function wireOf(event: StoreEvent, revision: bigint, { prevKv }: WatchOptions): Uint8Array {
  const { key, now, before, wire } = event;
  if (!prevKv || before === undefined) return wire;
  if (now !== undefined) return encodePut(now, before);
  return encodeDelete(Buffer.from(key, "latin1"), revision, before);
}
