import type { Clock } from "../../runtime/clock.ts";
import {
  type responseHeader,
  type WatchCreateRequest,
  watchRequest,
  watchResponse,
} from "../etcd/messages.ts";
import { decode, type Encodable, encode } from "../etcd/protobuf.ts";
import { refusal } from "./grpc-error.ts";
import type { GrpcCall, StreamHandler } from "./grpc-server.ts";
import { keyRange } from "./key-range.ts";
import type { CoordinatorNodeLimits } from "./limits.ts";
import type { Watcher, WatchHub } from "./watch-hub.ts";

export interface WatchServiceParts {
  readonly hub: WatchHub;
  readonly store: { readonly revision: bigint };
  readonly header: (revision: bigint) => Encodable<typeof responseHeader>;
  readonly limits: CoordinatorNodeLimits;
  readonly clock: Clock;
}

/** How often a quiet watch that asked for it is told how far it has come; etcd's default. */
const progressEveryMs = 600_000;
/** The id under which a stream, not one of its watches, is answered. */
const wholeStream = -1n;

interface OpenWatch {
  readonly watcher: Watcher;
  readonly wantsProgress: boolean;
}

/** etcd's Watch: many watches on one stream, each with its id. */
export function watchService(parts: WatchServiceParts): StreamHandler {
  return (call) => {
    const open = new Map<bigint, OpenWatch>();
    const send = (response: Encodable<typeof watchResponse>): void =>
      call.send(encode(watchResponse, { header: parts.header(parts.store.revision), ...response }));
    const remind = (): void => {
      for (const [watchId, { watcher, wantsProgress }] of open) {
        if (wantsProgress && watcher.inStep) send({ watchId });
      }
      timer = parts.clock.setTimer(progressEveryMs, remind, { keepAlive: false });
    };
    let timer = parts.clock.setTimer(progressEveryMs, remind, { keepAlive: false });
    return {
      message(bytes) {
        const { create, cancel, progress } = decode(watchRequest, bytes);
        if (create !== undefined) openWatch(parts, call, open, create, send);
        else if (cancel !== undefined) {
          open.get(cancel.watchId)?.watcher.close();
          if (open.delete(cancel.watchId)) send({ watchId: cancel.watchId, canceled: true });
        } else if (progress !== undefined) {
          const inStep = [...open.values()].every(({ watcher }) => watcher.inStep);
          if (inStep) send({ watchId: wholeStream });
        }
      },
      drained() {
        for (const { watcher } of open.values()) watcher.resume();
      },
      closed() {
        timer.cancel();
        for (const { watcher } of open.values()) watcher.close();
      },
    };
  };
}

function openWatch(
  { hub, limits }: WatchServiceParts,
  call: GrpcCall,
  open: Map<bigint, OpenWatch>,
  request: WatchCreateRequest,
  send: (response: Encodable<typeof watchResponse>) => void,
): void {
  if (request.key.length === 0) throw refusal("keyNotProvided");
  if (hub.size >= limits.watchersMax) throw refusal("tooManyRequests");
  const watchId = request.watchId === 0n ? freeId(open) : request.watchId;
  if (open.has(watchId)) {
    send({ watchId: wholeStream, created: true, canceled: true, cancelReason: duplicateId });
    return;
  }
  send({ watchId, created: true });
  const { startRevision, filters, prevKv } = request;
  const range = keyRange(request.key, request.rangeEnd);
  const watcher = hub.open(
    { range, startRevision, filters, prevKv },
    {
      get ready() {
        return !call.congested;
      },
      events: (events) => send({ watchId, events }),
      compacted(oldest) {
        open.delete(watchId);
        // Without a header revision, as etcd: it would be taken for a place to resume from.
        send({ header: {}, watchId, canceled: true, compactRevision: oldest });
      },
    },
  );
  open.set(watchId, { watcher, wantsProgress: request.progressNotify });
  watcher.resume();
}

const duplicateId = "mvcc: duplicate watch ID provided on the WatchStream";

function freeId(open: ReadonlyMap<bigint, unknown>): bigint {
  let id = 0n;
  while (open.has(id)) id++;
  return id;
}
