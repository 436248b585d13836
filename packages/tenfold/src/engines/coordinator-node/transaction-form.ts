import {
  type Compare,
  type DeleteRangeRequest,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  type TxnRequest,
  txnRequest,
} from "../etcd/messages.ts";
import { decode } from "../etcd/protobuf.ts";
import { refusal } from "./grpc-error.ts";
import { inRange, type KeyRange, keyRange, keyText } from "./key-range.ts";
import { checkRange } from "./range.ts";

/** A transaction that is well formed, with those inside it read as well. */
export interface Txn {
  readonly compare: readonly Compare[];
  readonly success: readonly Operation[];
  readonly failure: readonly Operation[];
}

export type Operation =
  | { readonly range: RangeRequest }
  | { readonly put: PutRequest }
  | { readonly deleteRange: DeleteRangeRequest }
  | { readonly txn: Txn };

/**
 * Refuses by form alone what etcd refuses, with its answers (server/etcdserver/api/v3rpc/key.go):
 * both branches, at every depth.
 *
 * @param operationsMax in a branch; a transaction inside one has what its parent leaves
 * @throws GrpcError
 */
export function readTxn(request: TxnRequest, operationsMax: number): Txn {
  const txn = formOf(request, operationsMax);
  checkOverlap(txn.success);
  checkOverlap(txn.failure);
  return txn;
}

export function checkPut(request: PutRequest): void {
  if (request.key.length === 0) throw refusal("keyNotProvided");
  if (request.ignoreValue && request.value.length > 0) throw refusal("valueProvided");
  if (request.ignoreLease && request.lease !== 0n) throw refusal("leaseProvided");
}

export function checkDeleteRange(request: DeleteRangeRequest): void {
  if (request.key.length === 0) throw refusal("keyNotProvided");
}

function formOf({ compare, success, failure }: TxnRequest, operationsMax: number): Txn {
  const most = Math.max(compare.length, success.length, failure.length);
  if (most > operationsMax) throw refusal("tooManyOperations");
  if (compare.some((one) => one.key.length === 0)) throw refusal("keyNotProvided");
  const read = (one: RequestOp): Operation => operationOf(one, operationsMax - most);
  return { compare, success: success.map(read), failure: failure.map(read) };
}

function operationOf(one: RequestOp, operationsLeft: number): Operation {
  const [nested] = one.txn;
  if (one.range !== undefined) {
    checkRange(one.range);
    return { range: one.range };
  }
  if (one.put !== undefined) {
    checkPut(one.put);
    return { put: one.put };
  }
  if (one.deleteRange !== undefined) {
    checkDeleteRange(one.deleteRange);
    return { deleteRange: one.deleteRange };
  }
  if (nested !== undefined) return { txn: formOf(decode(txnRequest, nested), operationsLeft) };
  throw refusal("keyNotFound");
}

interface Touched {
  readonly puts: Set<string>;
  readonly deletes: KeyRange[];
}

/**
 * One revision has one state of a key: no key is put twice, or put and deleted, in operations that
 * may all apply. The branches of a transaction inside exclude each other.
 */
function checkOverlap(operations: readonly Operation[]): Touched {
  const puts = new Set<string>();
  const deletes: KeyRange[] = [];
  for (const one of operations) {
    if (!("deleteRange" in one)) continue;
    deletes.push(literalRange(one.deleteRange));
  }
  const add = (key: string, alsoAllowed?: ReadonlySet<string>): void => {
    const isTwice = puts.has(key) && alsoAllowed?.has(key) !== true;
    if (isTwice || deletes.some((range) => inRange(range, key))) throw refusal("duplicateKey");
    puts.add(key);
  };
  for (const one of operations) {
    if (!("txn" in one)) continue;
    const [then, otherwise] = [checkOverlap(one.txn.success), checkOverlap(one.txn.failure)];
    for (const key of then.puts) add(key);
    for (const key of otherwise.puts) add(key, then.puts);
    deletes.push(...then.deletes, ...otherwise.deletes);
  }
  for (const one of operations) if ("put" in one) add(keyText(one.put.key));
  return { puts, deletes };
}

/** As etcd looks at it here, a range to the last key has no keys: what is in it may be put, too. */
function literalRange({ key, rangeEnd }: DeleteRangeRequest): KeyRange {
  if (rangeEnd.length === 0) return keyRange(key, rangeEnd);
  return { start: keyText(key), end: keyText(rangeEnd) };
}
