import { errorText } from "../runtime/errors.ts";
import { type Log, silentLog } from "../runtime/log.ts";
import type { Coordinator, EntryChange, Revision, WatchBatch } from "./coordinator.ts";
import { type Notice, notice } from "./notice.ts";

export interface WatchedMapOptions {
  readonly signal?: AbortSignal | undefined;
  readonly log?: Log;
}

/** A map in the coordinator as this process last knew it. It stays when the coordinator is gone. */
export interface WatchedMap<Value> {
  /** By key without the prefix. Replaced, never changed: hold on to it for one decision. */
  readonly current: ReadonlyMap<string, Value>;
  /** As of when; undefined until the coordinator was first heard. */
  readonly revision: Revision | undefined;
  /** Resolves once `current` was read from the coordinator; rejects when closed before that. */
  readonly ready: Promise<void>;
  /** Whole maps, the current one first (as soon as there is one); a slow reader gets the latest. */
  watch(options?: {
    readonly signal?: AbortSignal | undefined;
  }): AsyncIterable<ReadonlyMap<string, Value>>;
  /** Stops watching and ends the readers; `current` stays. Idempotent. */
  close(): void;
}

/**
 * Keeps the entries under `prefix` parsed and up to date.
 *
 * @param parse value and name (the key without the prefix) to what readers want; when it throws,
 *   the entry is left out and logged, and the rest of the map goes on.
 */
export function watchedMap<Value>(
  coordinator: Pick<Coordinator, "watch">,
  prefix: string,
  parse: (value: string, name: string) => Value,
  options: WatchedMapOptions = {},
): WatchedMap<Value> {
  const log = options.log ?? silentLog;
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(options.signal ? [options.signal] : [])]);
  const readers = new Set<Notice>();
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => {});
  let current: ReadonlyMap<string, Value> = new Map();
  let revision: Revision | undefined;

  const apply = (batch: WatchBatch): void => {
    const next = new Map(current);
    for (const change of batch.changes) applyChange(next, change);
    current = next;
    revision = batch.revision;
    ready.resolve();
    for (const reader of readers) reader.notify();
  };
  const applyChange = (map: Map<string, Value>, change: EntryChange): void => {
    const key = change.kind === "put" ? change.entry.key : change.key;
    const name = key.slice(prefix.length);
    map.delete(name);
    if (change.kind === "delete") return;
    try {
      map.set(name, parse(change.entry.value, name));
    } catch (error) {
      log.warn("left out an unreadable entry", { key, error: errorText(error) });
    }
  };
  const run = async (): Promise<void> => {
    try {
      for await (const batch of coordinator.watch(prefix, { signal })) apply(batch);
      ready.reject(new Error(`The watch of ${prefix} was closed before it heard anything.`));
    } catch (error) {
      log.error("a watch ended", { prefix, error: errorText(error) });
      ready.reject(error);
    } finally {
      stop.abort();
    }
  };
  void run();

  return {
    get current() {
      return current;
    },
    get revision() {
      return revision;
    },
    ready: ready.promise,
    async *watch(readOptions = {}) {
      const own = readOptions.signal;
      const until = own === undefined ? signal : AbortSignal.any([signal, own]);
      const changed = notice();
      readers.add(changed);
      try {
        if (revision === undefined) await changed.wait(until);
        while (!until.aborted) {
          yield current;
          await changed.wait(until);
        }
      } finally {
        readers.delete(changed);
      }
    },
    close: () => stop.abort(),
  };
}
