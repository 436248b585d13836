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
import type { Channel } from "./channel.ts";
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

export interface PrefixWatchParts {
  readonly channel: Channel;
  readonly runtime: Runtime;
  readonly list: (prefix: string, signal: AbortSignal) => Promise<Listing>;
}

/**
 * The map under a prefix and all that happens to it. A broken stream is taken up again at the
 * revision after the last *delivered* change: a header's revision is the store's head and may lie
 * beyond events that are still on their way (etcd-io/etcd#15220). Where the server has no history
 * that far back, the map is listed again and the reader gets the difference.
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
    while (!until.aborted) {
      const batch = buffer.take();
      if (batch === undefined) await changed.wait(until);
      else yield batch;
    }
  } finally {
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
  let hasGap = true;
  while (!signal.aborted) {
    try {
      if (hasGap) {
        buffer.snapshot(await parts.list(prefix, signal));
        changed();
        hasGap = false;
      }
      await follow(parts.channel, prefix, buffer, signal, () => {
        wait.reset();
        changed();
      });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof GapError) hasGap = true;
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

/** One stream, from where the buffer stands until it breaks. */
function follow(
  channel: Channel,
  prefix: string,
  buffer: WatchBuffer,
  signal: AbortSignal,
  heard: () => void,
): Promise<void> {
  const from = (buffer.revision ?? 0n) + 1n;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const receiver = {
    message(bytes: Uint8Array) {
      const { header, created, canceled, compactRevision, cancelReason, events } = decode(
        watchResponse,
        bytes,
      );
      if (compactRevision > 0n) return reject(new GapError("the history was compacted"));
      if (canceled) return reject(new Error(`the server ended the watch: ${cancelReason}`));
      // A store that is younger than what was read from it was put back from a backup.
      const isYounger = created && (header?.revision ?? 0n) < from - 1n;
      if (isYounger) return reject(new GapError("the store went back in time"));
      if (events.length > 0) buffer.delta(events.map(changeOf));
      heard();
    },
    end: (error?: Error) => reject(error ?? new Error("the server ended the stream")),
  };
  const start = async (): Promise<void> => {
    const call = await channel.stream(methods.watch, receiver, signal);
    const stop = (): void => {
      call.cancel();
      resolve();
    };
    signal.addEventListener("abort", stop, { once: true });
    promise
      .finally(() => {
        signal.removeEventListener("abort", stop);
        call.cancel();
      })
      .catch(() => {});
    if (signal.aborted) stop();
    call.send(encode(watchRequest, { create: { ...prefixRange(prefix), startRevision: from } }));
  };
  start().catch(reject);
  return promise;
}

function changeOf(event: Event): RevisedChange {
  const kv = event.kv as KeyValue;
  const revision = kv.modRevision;
  if (event.type === eventType.delete) return { kind: "delete", key: keyOf(kv), revision };
  return { kind: "put", entry: entryOf(kv), revision };
}
