import { grpcStatus } from "../etcd/grpc-frame.ts";
import {
  type Compare,
  compareResult,
  compareTarget,
  type DeleteRangeRequest,
  type deleteRangeResponse,
  type KeyValue,
  type PutRequest,
  type putResponse,
  type RequestOp,
  type ResponseOp,
  type TxnRequest,
  type txnResponse,
} from "../etcd/messages.ts";
import type { Encodable } from "../etcd/protobuf.ts";
import { GrpcError, refusal } from "./grpc-error.ts";
import { inRange, keyRange, keyText } from "./key-range.ts";
import type { KeyStore } from "./key-store.ts";
import type { Leases } from "./leases.ts";
import { answerRange } from "./range.ts";
import type { Write } from "./write-queue.ts";

/** What a request reads and writes while it is applied. */
export interface Ground {
  readonly store: Pick<KeyStore, "revision" | "get" | "range" | "count">;
  readonly leases: Pick<Leases, "get">;
  readonly write: Pick<Write, "apply">;
}

export function applyPut(ground: Ground, request: PutRequest): Encodable<typeof putResponse> {
  checkPut(request);
  const before = ground.store.get(keyText(request.key));
  if ((request.ignoreValue || request.ignoreLease) && before === undefined) {
    throw refusal("keyNotFound");
  }
  const lease = request.ignoreLease ? (before as KeyValue).lease : request.lease;
  if (lease !== 0n && ground.leases.get(lease) === undefined) throw refusal("leaseNotFound");
  const value = request.ignoreValue ? (before as KeyValue).value : request.value;
  ground.write.apply({ put: request.key, value, lease });
  return { prevKv: request.prevKv ? before : undefined };
}

export function applyDeleteRange(
  ground: Ground,
  request: DeleteRangeRequest,
): Encodable<typeof deleteRangeResponse> {
  if (request.key.length === 0) throw refusal("keyNotProvided");
  const found = ground.store.range(keyRange(request.key, request.rangeEnd));
  for (const entry of found) ground.write.apply({ delete: keyText(entry.key) });
  return { deleted: BigInt(found.length), prevKvs: request.prevKv ? found : [] };
}

export function applyTxn(
  ground: Ground,
  request: TxnRequest,
  operationsMax: number,
): Encodable<typeof txnResponse> {
  checkTxn(request, operationsMax);
  const succeeded = request.compare.every((one) => holds(ground.store, one));
  const operations = succeeded ? request.success : request.failure;
  return { succeeded, responses: operations.map((operation) => applyOperation(ground, operation)) };
}

function applyOperation(ground: Ground, operation: RequestOp): ResponseOp {
  if (operation.range) return { range: answerRange(ground.store, operation.range) };
  if (operation.put) return { put: applyPut(ground, operation.put) };
  if (operation.deleteRange) {
    return { deleteRange: applyDeleteRange(ground, operation.deleteRange) };
  }
  throw new GrpcError(grpcStatus.invalidArgument, "etcdserver: an operation of a txn is empty");
}

/** Refuses by form alone, before anything is applied; both branches, as etcd does. */
function checkTxn(request: TxnRequest, operationsMax: number): void {
  const { compare, success, failure } = request;
  if (Math.max(compare.length, success.length, failure.length) > operationsMax) {
    throw refusal("tooManyOperations");
  }
  if (compare.some((one) => one.key.length === 0)) throw refusal("keyNotProvided");
  for (const branch of [success, failure]) {
    for (const operation of branch) checkOperation(operation);
    checkOverlap(branch);
  }
}

function checkOperation(operation: RequestOp): void {
  if (operation.txn.length > 0) {
    throw new GrpcError(grpcStatus.unimplemented, "a txn inside a txn is not supported");
  }
  if (operation.put) checkPut(operation.put);
  const key = operation.range?.key ?? operation.deleteRange?.key;
  if (key?.length === 0) throw refusal("keyNotProvided");
}

function checkPut(request: PutRequest): void {
  if (request.key.length === 0) throw refusal("keyNotProvided");
  if (request.ignoreValue && request.value.length > 0) throw refusal("valueProvided");
  if (request.ignoreLease && request.lease !== 0n) throw refusal("leaseProvided");
}

/** One revision has one state of a key: no key is put twice, or put and deleted, in a branch. */
function checkOverlap(branch: readonly RequestOp[]): void {
  const puts = new Set<string>();
  for (const { put } of branch) {
    if (put === undefined) continue;
    const key = keyText(put.key);
    if (puts.has(key)) throw refusal("duplicateKey");
    puts.add(key);
  }
  for (const { deleteRange } of branch) {
    if (deleteRange === undefined) continue;
    const range = keyRange(deleteRange.key, deleteRange.rangeEnd);
    if ([...puts].some((key) => inRange(range, key))) throw refusal("duplicateKey");
  }
}

function holds(store: Ground["store"], one: Compare): boolean {
  if (one.rangeEnd.length === 0) return compareHolds(one, store.get(keyText(one.key)));
  const found = store.range(keyRange(one.key, one.rangeEnd));
  // An empty range is compared as one absent key.
  if (found.length === 0) return compareHolds(one, undefined);
  return found.every((entry) => compareHolds(one, entry));
}

function compareHolds(one: Compare, entry: KeyValue | undefined): boolean {
  // A value that is not there equals nothing and differs from nothing.
  if (one.target === compareTarget.value && entry === undefined) return false;
  const order = compareOrder(one, entry);
  switch (one.result) {
    case compareResult.equal:
      return order === 0;
    case compareResult.notEqual:
      return order !== 0;
    case compareResult.greater:
      return order > 0;
    case compareResult.less:
      return order < 0;
    default:
      throw new GrpcError(grpcStatus.invalidArgument, "etcdserver: unknown compare result");
  }
}

function compareOrder(one: Compare, entry: KeyValue | undefined): number {
  switch (one.target) {
    case compareTarget.version:
      return Number((entry?.version ?? 0n) - one.version);
    case compareTarget.create:
      return Number((entry?.createRevision ?? 0n) - one.createRevision);
    case compareTarget.mod:
      return Number((entry?.modRevision ?? 0n) - one.modRevision);
    case compareTarget.lease:
      return Number((entry?.lease ?? 0n) - one.lease);
    case compareTarget.value:
      return Buffer.compare((entry as KeyValue).value, one.value);
    default:
      throw new GrpcError(grpcStatus.invalidArgument, "etcdserver: unknown compare target");
  }
}
