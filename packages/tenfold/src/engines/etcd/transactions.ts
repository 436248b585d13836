import {
  type CallOptions,
  type Change,
  type Condition,
  coordinatorDefaults,
  type Revision,
  type Transaction,
  type TransactionResult,
} from "../../coordination/coordinator.ts";
import { fencingToken } from "../../coordination/fencing-token.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { Channel } from "./channel.ts";
import { entryOf, keyBytes } from "./entries.ts";
import { grpcStatus } from "./grpc-frame.ts";
import { compareResult, compareTarget, methods, txnRequest, txnResponse } from "./messages.ts";
import type { Decoded, Encodable } from "./protobuf.ts";
import { RpcError } from "./rpc-error.ts";
import type { StoreCheck, StoreMark } from "./store-check.ts";

const txn = { path: methods.txn, request: txnRequest, response: txnResponse };

/**
 * Transactions that apply only in the generation that the client knows: otherwise a token could be
 * made of an old generation and a revision that has begun anew, and be handed out twice.
 * @throws RpcError
 */
export function transactor(
  channel: Channel,
  store: StoreCheck,
  { clock }: Pick<Runtime, "clock">,
): (transaction: Transaction, options?: CallOptions) => Promise<TransactionResult> {
  return async (transaction, options = {}) => {
    const { signal, timeoutMs = coordinatorDefaults.callTimeoutMs } = options;
    const deadline = clock.now() + timeoutMs;
    for (let afresh = false; ; afresh = true) {
      const leftMs = deadline - clock.now();
      if (leftMs <= 0) throw new RpcError(grpcStatus.deadlineExceeded, raisedOften, false);
      if (afresh || !channel.isIdentified) {
        await channel.identified({ timeoutMs: leftMs, signal, afresh });
      }
      const mark = store.mark();
      const request = requestOf(transaction, store.question.key, mark);
      const call = { signal, timeoutMs: Math.max(1, deadline - clock.now()), idempotent: false };
      const answer = await channel.unary(txn, request, call);
      if (!answer.succeeded && raisedAtOf(answer) !== mark.raisedAt) continue;
      if (!store.believes(answer.header, mark)) {
        await channel.identified({ timeoutMs: Math.max(1, deadline - clock.now()), afresh: true });
      }
      return resultOf(answer, mark.generation);
    }
  };
}

const raisedOften = "the generation was raised again and again";

function requestOf(
  { when = [], change, otherwiseRead = [] }: Transaction,
  generation: Uint8Array,
  mark: StoreMark,
): Encodable<typeof txnRequest> {
  const isSameGeneration = {
    key: generation,
    result: compareResult.equal,
    target: compareTarget.mod,
    modRevision: mark.raisedAt,
  };
  const reads = otherwiseRead.map((key) => ({ range: { key: keyBytes(key) } }));
  return {
    compare: [...when.map(compareOf), isSameGeneration],
    success: change.map(operationOf),
    failure: [...reads, { range: { key: generation } }],
  };
}

function compareOf(condition: Condition) {
  const key = keyBytes(condition.key);
  const { equal, greater } = compareResult;
  if ("revision" in condition) {
    const { revision: modRevision } = condition;
    return { key, result: equal, target: compareTarget.mod, modRevision };
  }
  if ("ownedBy" in condition) {
    // A key that is absent has lease 0, which no session has.
    const lease = BigInt(condition.ownedBy.id);
    return { key, result: equal, target: compareTarget.lease, lease };
  }
  // A key that is absent has create revision 0.
  const result = condition.is === "absent" ? equal : greater;
  return { key, result, target: compareTarget.create, createRevision: 0n };
}

function operationOf(change: Change) {
  if ("delete" in change) return { deleteRange: { key: keyBytes(change.delete) } };
  const lease = change.session === undefined ? 0n : BigInt(change.session.id);
  return { put: { key: keyBytes(change.put), value: keyBytes(change.value), lease } };
}

/** The last read of a refusal is of the generation. */
function raisedAtOf({ responses }: Decoded<typeof txnResponse>): Revision {
  return responses.at(-1)?.range?.kvs[0]?.modRevision ?? 0n;
}

function resultOf(answer: Decoded<typeof txnResponse>, generation: number): TransactionResult {
  const revision = answer.header?.revision ?? 0n;
  if (answer.succeeded) {
    return { outcome: "applied", revision, token: fencingToken(generation, revision) };
  }
  const reads = answer.responses
    .slice(0, -1)
    .flatMap((one) => (one.range?.kvs ?? []).map((kv) => entryOf(kv, generation)));
  return { outcome: "refused", revision, reads };
}
