import { type Event, eventType, type KeyValue, watchFilter } from "../etcd/messages.ts";
import type { History } from "./history.ts";
import { inRange, type KeyRange } from "./key-range.ts";
import type { KeyStore, Revised, StoreEvent } from "./key-store.ts";

export interface WatchOptions {
  readonly range: KeyRange;
  /** The first revision wanted; 0 or less means from now on. */
  readonly startRevision: bigint;
  readonly filters: readonly number[];
  readonly prevKv: boolean;
}

/** Where a watch's events go. */
export interface WatchSink {
  /** False while the reader is behind: the hub then waits for `resume` and replays from history. */
  readonly ready: boolean;
  /** Whole revisions only, in order. */
  events(events: readonly WatchEvent[]): void;
  /** The watch is over: history no longer reaches back to where it stands. */
  compacted(oldest: bigint): void;
}

export type WatchEvent = Pick<Event, "type" | "prevKv"> & { readonly kv: KeyValue };

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
  /** Call when the history has everything up to the store's revision. */
  publish(): void;
}

/** Enough for one answer to be small beside a connection's window; revisions are kept whole. */
const eventsPerAnswer = 1_000;

export function watchHub(store: Pick<KeyStore, "revision">, history: History): WatchHub {
  const watchers = new Set<Watcher>();
  return {
    get size() {
      return watchers.size;
    },
    open(options, sink) {
      let next = options.startRevision > 0n ? options.startRevision : store.revision + 1n;
      const close = (): void => void watchers.delete(watcher);
      const gather = (): WatchEvent[] => {
        const events: WatchEvent[] = [];
        while (next <= store.revision && events.length < eventsPerAnswer) {
          events.push(...matching(history.at(next), options));
          next++;
        }
        return events;
      };
      const resume = (): void => {
        while (sink.ready && next <= store.revision && watchers.has(watcher)) {
          if (next < history.oldest) {
            close();
            sink.compacted(history.oldest);
            return;
          }
          const events = gather();
          if (events.length > 0) sink.events(events);
        }
      };
      const watcher: Watcher = {
        get inStep() {
          return next > store.revision;
        },
        resume,
        close,
      };
      watchers.add(watcher);
      return watcher;
    },
    publish() {
      for (const watcher of [...watchers]) watcher.resume();
    },
  };
}

function matching(revised: Revised, options: WatchOptions): WatchEvent[] {
  const noPut = options.filters.includes(watchFilter.noPut);
  const noDelete = options.filters.includes(watchFilter.noDelete);
  return revised.events
    .filter((event) => inRange(options.range, event.key))
    .filter((event) => !(event.now === undefined ? noDelete : noPut))
    .map((event) => watchEvent(event, revised.revision, options.prevKv));
}

const nothing = new Uint8Array(0);

function watchEvent(event: StoreEvent, revision: bigint, withPrevious: boolean): WatchEvent {
  const prevKv = withPrevious ? event.before : undefined;
  if (event.now !== undefined) return { type: eventType.put, kv: event.now, prevKv };
  const kv: KeyValue = {
    key: event.before?.key ?? nothing,
    modRevision: revision,
    createRevision: 0n,
    version: 0n,
    value: nothing,
    lease: 0n,
  };
  return { type: eventType.delete, kv, prevKv };
}
