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
import type { WatchEvents, Watcher, WatchHub } from "./watch-hub.ts";

export interface WatchServiceParts {
  readonly hub: WatchHub;
  /** The newest revision that may be told. */
  readonly revision: () => bigint;
  readonly header: (revision: bigint) => Encodable<typeof responseHeader>;
  readonly limits: CoordinatorNodeLimits;
  readonly clock: Clock;
}

/** The id under which a stream, not one of its watches, is answered. */
const wholeStream = -1n;

interface OpenWatch {
  readonly watcher: Watcher;
  readonly wantsProgress: boolean;
}

/** One call of etcd's Watch: many watches, each with its id. */
interface WatchCall {
  readonly call: GrpcCall;
  /** Not given out yet by us; a client may have taken it. */
  nextId: bigint;
  readonly open: Map<bigint, OpenWatch>;
  readonly send: (response: Encodable<typeof watchResponse>) => void;
}

export function watchService(parts: WatchServiceParts): StreamHandler {
  const headOf = eventsHead(parts);
  return (call) => {
    const open = new Map<bigint, OpenWatch>();
    const watchCall: WatchCall = { call, open, nextId: 0n, send: (response) => send(response) };
    const send = (response: Encodable<typeof watchResponse>): void =>
      call.send(encode(watchResponse, { header: parts.header(parts.revision()), ...response }));
    const remind = (): void => {
      for (const [watchId, { watcher, wantsProgress }] of open) {
        if (wantsProgress && watcher.inStep) send({ watchId });
      }
      timer = parts.clock.setTimer(parts.limits.progressEveryMs, remind, { keepAlive: false });
    };
    let timer = parts.clock.setTimer(parts.limits.progressEveryMs, remind, { keepAlive: false });
    return {
      message(bytes) {
        const { create, cancel, progress } = decode(watchRequest, bytes);
        if (create !== undefined) openWatch(parts, watchCall, create, headOf);
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
  { hub, limits, header }: WatchServiceParts,
  watchCall: WatchCall,
  request: WatchCreateRequest,
  headOf: (revision: bigint) => Uint8Array,
): void {
  const { call, open, send } = watchCall;
  if (hub.size >= limits.watchersMax) throw refusal("tooManyRequests");
  const asked = request.watchId === 0n ? freeId(watchCall) : request.watchId;
  // No key is the smallest one; no key either would be the only one.
  const range = keyRange(request.key.length === 0 ? smallestKey : request.key, request.rangeEnd);
  const reason = cancelReason(request, open.has(asked), range);
  if (reason !== undefined) {
    send({ watchId: wholeStream, created: true, canceled: true, cancelReason: reason });
    return;
  }
  send({ watchId: asked, created: true });
  const { startRevision, filters, prevKv } = request;
  const id = encode(watchResponse, { watchId: asked });
  const more = request.fragment ? encode(watchResponse, { fragment: true }) : undefined;
  const watcher = hub.open(
    { range, startRevision, filters, prevKv },
    {
      get ready() {
        return !call.congested;
      },
      events(events) {
        const head = headOf(events.revision);
        const pieces = more === undefined ? [events.wires] : inPieces(events, limits);
        for (const [at, piece] of pieces.entries()) {
          const isLast = at === pieces.length - 1;
          call.send(head, id, ...(isLast || more === undefined ? [] : [more]), ...piece);
        }
      },
      compacted(oldest) {
        open.delete(asked);
        // Revision 0, as etcd: the store's would be taken for a place to resume from.
        send({ header: header(0n), watchId: asked, canceled: true, compactRevision: oldest });
      },
    },
  );
  open.set(asked, { watcher, wantsProgress: request.progressNotify });
  watcher.resume();
}

const smallestKey = Uint8Array.of(0);

/** Why etcd would answer a create with a cancellation. */
function cancelReason(
  request: WatchCreateRequest,
  isTaken: boolean,
  range: ReturnType<typeof keyRange>,
): string | undefined {
  if (request.startRevision < 0n) return refusal("compacted").message;
  const isEmpty = "start" in range && range.end !== undefined && range.start >= range.end;
  if (isEmpty) return "mvcc: watcher range is empty";
  return isTaken ? "mvcc: duplicate watch ID provided on the WatchStream" : undefined;
}

/** All watches that are told of a revision are told the same header: encoded once. */
function eventsHead({ header }: WatchServiceParts): (revision: bigint) => Uint8Array {
  let last: { revision: bigint; head: Uint8Array } = { revision: -1n, head: smallestKey };
  return (revision) => {
    if (last.revision !== revision) {
      last = { revision, head: encode(watchResponse, { header: header(revision) }) };
    }
    return last.head;
  };
}

/** For readers that asked for it: no piece is over the size of a request. */
function inPieces({ wires }: WatchEvents, limits: CoordinatorNodeLimits): Uint8Array[][] {
  const pieces: Uint8Array[][] = [[]];
  let size = 0;
  for (const wire of wires) {
    if (size > 0 && size + wire.length > limits.requestBytesMax) {
      pieces.push([]);
      size = 0;
    }
    pieces.at(-1)?.push(wire);
    size += wire.length;
  }
  return pieces;
}

function freeId(watchCall: WatchCall): bigint {
  while (watchCall.open.has(watchCall.nextId)) watchCall.nextId++;
  return watchCall.nextId++;
}
