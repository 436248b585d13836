import {
  type Compare,
  compareResult,
  compareTarget,
  type DeleteRangeRequest,
  type deleteRangeResponse,
  type KeyValue,
  type PutRequest,
  type putResponse,
  type RangeRequest,
  type ResponseOp,
  type rangeResponse,
  txnResponse,
} from "../etcd/messages.ts";
import { type Encodable, encode } from "../etcd/protobuf.ts";
import { refusal } from "./grpc-error.ts";
import type { History } from "./history.ts";
import { keyRange, keyText } from "./key-range.ts";
import type { KeyStore } from "./key-store.ts";
import type { Leases } from "./leases.ts";
import { viewAt } from "./past-view.ts";
import { answerRange, revisionOf } from "./range.ts";
import type { Operation, Txn } from "./transaction-form.ts";
import type { Write } from "./write-queue.ts";

/** What a request reads and writes while it is applied. */
export interface Ground {
  readonly store: KeyStore;
  readonly history: Pick<History, "at" | "compacted">;
  readonly leases: Pick<Leases, "get">;
  readonly write: Pick<Write, "apply" | "events">;
}

/** @param request checked by `checkPut` */
export function applyPut(ground: Ground, request: PutRequest): Encodable<typeof putResponse> {
  const before = ground.store.get(keyText(request.key));
  if (request.lease !== 0n && ground.leases.get(request.lease) === undefined) {
    throw refusal("leaseNotFound");
  }
  if ((request.ignoreValue || request.ignoreLease) && before === undefined) {
    throw refusal("keyNotFound");
  }
  const lease = request.ignoreLease ? (before as KeyValue).lease : request.lease;
  const value = request.ignoreValue ? (before as KeyValue).value : request.value;
  ground.write.apply({ put: request.key, value, lease });
  return { prevKv: request.prevKv ? before : undefined };
}

/** @param request checked by `checkDeleteRange` */
export function applyDeleteRange(
  ground: Ground,
  request: DeleteRangeRequest,
): Encodable<typeof deleteRangeResponse> {
  const found = ground.store.range(keyRange(request.key, request.rangeEnd));
  for (const entry of found) ground.write.apply({ delete: keyText(entry.key) });
  return { deleted: BigInt(found.length), prevKvs: request.prevKv ? found : [] };
}

export function applyTxn(ground: Ground, txn: Txn): Encodable<typeof txnResponse> {
  const chosen = choose(ground.store, txn);
  // In etcd's order, which shows when several are at fault.
  for (const one of operationsOf(chosen)) if ("put" in one) checkPutInside(ground, one.put);
  for (const one of operationsOf(chosen)) if ("range" in one) checkRangeInside(ground, one.range);
  return applyChosen(ground, chosen);
}

/** The branches that apply: all are chosen, at every depth, before anything is changed. */
interface Chosen {
  readonly succeeded: boolean;
  readonly operations: readonly (Exclude<Operation, { txn: Txn }> | { readonly txn: Chosen })[];
}

function choose(store: KeyStore, txn: Txn): Chosen {
  const succeeded = txn.compare.every((one) => holds(store, one));
  const operations = (succeeded ? txn.success : txn.failure).map((one) =>
    "txn" in one ? { txn: choose(store, one.txn) } : one,
  );
  return { succeeded, operations };
}

/** Those of all depths. */
function* operationsOf(chosen: Chosen): Generator<Exclude<Operation, { txn: Txn }>> {
  for (const one of chosen.operations) {
    if ("txn" in one) yield* operationsOf(one.txn);
    else yield one;
  }
}

function checkPutInside({ store, leases }: Ground, request: PutRequest): void {
  const isKept = request.ignoreValue || request.ignoreLease;
  if (isKept && store.get(keyText(request.key)) === undefined) throw refusal("keyNotFound");
  const { lease } = request;
  if (lease !== 0n && leases.get(lease) === undefined) throw refusal("leaseNotFound");
}

function checkRangeInside({ store, history }: Ground, request: RangeRequest): void {
  revisionOf(request, store.revision, history.compacted);
  // Outside of transactions etcd takes a negative revision for the present.
  if (request.revision < 0n && request.revision < history.compacted) throw refusal("compacted");
}

function applyChosen(ground: Ground, chosen: Chosen): Encodable<typeof txnResponse> {
  const responses = chosen.operations.map((one): ResponseOp => {
    if ("range" in one) return { range: readInside(ground, one.range) };
    if ("put" in one) return { put: { ...applyPut(ground, one.put), header: header(ground) } };
    if ("deleteRange" in one) {
      const deleted = applyDeleteRange(ground, one.deleteRange);
      return { deleteRange: { ...deleted, header: header(ground) } };
    }
    return { txn: [encode(txnResponse, { header: {}, ...applyChosen(ground, one.txn) })] };
  });
  return { succeeded: chosen.succeeded, responses };
}

/** Inside a transaction only the revision is told: that of its changes so far. */
function header({ store, write }: Ground): { readonly revision: bigint } {
  return { revision: store.revision + (write.events.length > 0 ? 1n : 0n) };
}

/** Of now, it sees what the transaction has changed so far. */
function readInside(ground: Ground, request: RangeRequest): Encodable<typeof rangeResponse> {
  const { store, history, write } = ground;
  const revision = revisionOf(request, store.revision, history.compacted);
  const isPast = request.revision > 0n;
  const view = isPast ? viewAt(store, history, revision, write.events) : store;
  return { ...answerRange(view, request), header: header(ground) };
}

function holds(store: KeyStore, one: Compare): boolean {
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
      // As etcd, also for a target that it does not know.
      return true;
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
      return 0;
  }
}
