import {
  type KeyValue,
  type RangeRequest,
  type rangeResponse,
  sortOrder,
  sortTarget,
} from "../etcd/messages.ts";
import type { Encodable } from "../etcd/protobuf.ts";
import { refusal } from "./grpc-error.ts";
import { keyRange } from "./key-range.ts";
import type { StoreView } from "./key-store.ts";

const noValue = new Uint8Array(0);

/** Refuses by form alone. @throws GrpcError */
export function checkRange({ key, sortOrder: order, sortTarget: target }: RangeRequest): void {
  if (key.length === 0) throw refusal("keyNotProvided");
  const known = order >= sortOrder.none && order <= sortOrder.descend;
  if (!known || target < sortTarget.key || target > sortTarget.value) throw refusal("invalidSort");
}

/** The revision that is asked for. @throws GrpcError when it is not there yet, or no longer */
export function revisionOf(
  { revision }: Pick<RangeRequest, "revision">,
  current: bigint,
  compacted: bigint,
): bigint {
  if (revision > current) throw refusal("futureRevision");
  if (revision > 0n && revision < compacted) throw refusal("compacted");
  return revision > 0n ? revision : current;
}

/**
 * Answers a Range that `checkRange` found well formed, from the map as of the revision it asks for.
 * `serializable` makes no difference on one node.
 */
export function answerRange(
  view: StoreView,
  request: RangeRequest,
): Encodable<typeof rangeResponse> {
  const range = keyRange(request.key, request.rangeEnd);
  if (request.countOnly) return { count: BigInt(view.count(range)) };
  const all = view.range(range);
  const found = sorted(all.filter(revisionsWithin(request)), request);
  const kvs = request.limit > 0n ? found.slice(0, Number(request.limit)) : found;
  return {
    kvs: request.keysOnly ? kvs.map((entry) => ({ ...entry, value: noValue })) : kvs,
    more: kvs.length < found.length,
    count: BigInt(all.length),
  };
}

function revisionsWithin(request: RangeRequest): (entry: KeyValue) => boolean {
  const within = (value: bigint, min: bigint, max: bigint): boolean =>
    value >= min && (max === 0n || value <= max);
  return (entry) =>
    within(entry.modRevision, request.minModRevision, request.maxModRevision) &&
    within(entry.createRevision, request.minCreateRevision, request.maxCreateRevision);
}

function sorted(entries: readonly KeyValue[], request: RangeRequest): readonly KeyValue[] {
  const { sortOrder: order, sortTarget: target } = request;
  const isByKey = target === sortTarget.key;
  // As etcd does: a target without an order is ascending.
  if (order === sortOrder.none && isByKey) return entries;
  const sign = order === sortOrder.descend ? -1 : 1;
  return [...entries].sort((a, b) => sign * compareBy(target, a, b));
}

function compareBy(target: number, a: KeyValue, b: KeyValue): number {
  switch (target) {
    case sortTarget.key:
      return Buffer.compare(a.key, b.key);
    case sortTarget.value:
      return Buffer.compare(a.value, b.value);
    case sortTarget.version:
      return Number(a.version - b.version);
    case sortTarget.create:
      return Number(a.createRevision - b.createRevision);
    default:
      return Number(a.modRevision - b.modRevision);
  }
}
