import { backOff } from "../../coordination/back-off.ts";
import type { Listing, WatchBatch } from "../../coordination/coordinator.ts";
import { notice } from "../../coordination/notice.ts";
import {
  type RevisedChange,
  type WatchBuffer,
  watchBuffer,
} from "../../coordination/watch-buffer.ts";
import { errorText, isTenfoldError } from "../../runtime/errors.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { Channel, StreamCall } from "./channel.ts";
import { entryOf, keyOf, prefixRange } from "./entries.ts";
import {
  type Event,
  eventType,
  type KeyValue,
  methods,
  watchRequest,
  watchResponse,
} from "./messages.ts";
import { decode, encode } from "./protobuf.ts";
import { isUnavailable } from "./rpc-error.ts";
import type { StoreCheck, StoreMark } from "./store-check.ts";

export interface PrefixWatchParts {
  readonly channel: Channel;
  readonly store: StoreCheck;
  readonly runtime: Runtime;
  readonly list: (prefix: string, signal: AbortSignal) => Promise<Listing>;
}

/**
 * The map under a prefix and all that happens to it. A broken stream is taken up again at the last
 * revision that was *told*: a header's revision is the store's head and may lie beyond events that
 * are still on their way (etcd-io/etcd#15220), and at the revision after it a compaction may have
 * swallowed a deletion (#18089, #19179). What comes twice or late (#15271, #20221) is passed over.
 * Where the server has no history that far back, the map is listed again and the reader gets the
 * difference.
 */
export async function* watchPrefix(
  parts: PrefixWatchParts,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<WatchBatch> {
  if (signal.aborted) return;
  const left = new AbortController();
  const until = AbortSignal.any([signal, left.signal]);
  const buffer = watchBuffer();
  const changed = notice();
  const feeding = feed(parts, prefix, buffer, changed.notify, until);
  try {
    // What came while the reader was busy has left its notice.
    while (await changed.wait(until)) {
      const batch = buffer.take();
      if (batch !== undefined) yield batch;
    }
  } finally {
    changed.close();
    left.abort();
    await feeding;
  }
}

/** Fills the buffer until the signal fires; never throws. */
async function feed(
  parts: PrefixWatchParts,
  prefix: string,
  buffer: WatchBuffer,
  changed: () => void,
  signal: AbortSignal,
): Promise<void> {
  const { clock, random, log } = parts.runtime;
  const wait = backOff(random);
  /** What the buffer holds is of this store; undefined after a gap. */
  let mark: StoreMark | undefined;
  while (!signal.aborted) {
    try {
      if (mark === undefined || mark.era.aborted) {
        const listing = await parts.list(prefix, signal);
        mark = parts.store.mark();
        buffer.snapshot(listing);
        changed();
      }
      await follow(parts, { prefix, buffer, mark }, signal, () => {
        wait.reset();
        changed();
      });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof GapError) mark = undefined;
      const isOutage = error instanceof GapError || isUnavailable(error);
      const level = isOutage || isTenfoldError(error, unavailable) ? "debug" : "warn";
      log[level]("a watch was interrupted", { prefix, error: errorText(error) });
    }
    await clock.sleep(wait.next(), { signal }).catch(() => {});
  }
}

const unavailable = "TENFOLD_COORDINATION_UNAVAILABLE";

/** The server cannot continue from where the buffer stands. */
class GapError extends Error {}

interface Followed {
  readonly prefix: string;
  readonly buffer: WatchBuffer;
  readonly mark: StoreMark;
}

/** One stream, from where the buffer stands until it breaks. */
function follow(
  { channel, store }: PrefixWatchParts,
  { prefix, buffer, mark }: Followed,
  signal: AbortSignal,
  heard: () => void,
): Promise<void> {
  // 0 would mean "from now on".
  const from = buffer.revision || 1n;
  /** Parts of a large answer; a revision may lie across them. */
  let events: readonly Event[] = [];
  let call: StreamCall | undefined;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const receiver = {
    message(bytes: Uint8Array) {
      const answer = decode(watchResponse, bytes);
      if (answer.compactRevision > 0n) return reject(new GapError("the history was compacted"));
      if (answer.canceled) {
        // Such an end has no status of its own, and may mean that the token's time is over.
        call?.forgetToken();
        return reject(new Error(`the server ended the watch: ${answer.cancelReason}`));
      }
      events = events.length === 0 ? answer.events : events.concat(answer.events);
      if (answer.fragment) return;
      if (events.length > 0) {
        buffer.delta(events.map((one) => changeOf(one, mark.generation)));
        store.hear(buffer.revision ?? 0n, mark);
        events = [];
      }
      heard();
    },
    end: (error?: Error) => reject(error ?? new Error("the server ended the stream")),
  };
  const start = async (): Promise<void> => {
    const opened = await channel.stream(methods.watch, receiver, signal);
    call = opened;
    const stop = (): void => {
      opened.cancel();
      resolve();
    };
    const replaced = (): void => reject(new GapError("the store was replaced"));
    signal.addEventListener("abort", stop, { once: true });
    mark.era.addEventListener("abort", replaced, { once: true });
    promise
      .finally(() => {
        signal.removeEventListener("abort", stop);
        mark.era.removeEventListener("abort", replaced);
        opened.cancel();
      })
      .catch(() => {});
    if (signal.aborted) stop();
    if (mark.era.aborted) replaced();
    const create = { ...prefixRange(prefix), startRevision: from, fragment: true };
    opened.send(encode(watchRequest, { create }));
  };
  start().catch(reject);
  return promise;
}

function changeOf(event: Event, generation: number): RevisedChange {
  const kv = event.kv as KeyValue;
  const revision = kv.modRevision;
  if (event.type === eventType.delete) return { kind: "delete", key: keyOf(kv), revision };
  return { kind: "put", entry: entryOf(kv, generation), revision };
}
