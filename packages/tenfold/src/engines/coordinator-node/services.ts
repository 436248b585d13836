import {
  deleteRangeRequest,
  deleteRangeResponse,
  methods,
  putRequest,
  putResponse,
  type RangeRequest,
  rangeRequest,
  rangeResponse,
  type responseHeader,
  txnRequest,
  txnResponse,
} from "../etcd/messages.ts";
import { type Decoded, decode, type Encodable, encode, type Fields } from "../etcd/protobuf.ts";
import type { UnaryHandler } from "./grpc-server.ts";
import type { History } from "./history.ts";
import type { KeyStore } from "./key-store.ts";
import type { Leases } from "./leases.ts";
import type { CoordinatorNodeLimits } from "./limits.ts";
import { viewAt } from "./past-view.ts";
import { answerRange, checkRange, revisionOf } from "./range.ts";
import { applyDeleteRange, applyPut, applyTxn, type Ground } from "./transaction.ts";
import { checkDeleteRange, checkPut, readTxn } from "./transaction-form.ts";
import type { WriteQueue, Written } from "./write-queue.ts";

export type Header = (revision: bigint) => Encodable<typeof responseHeader>;

/** What the calls of a node stand on. */
export interface ServiceParts {
  readonly store: KeyStore;
  readonly history: History;
  readonly leases: Leases;
  readonly writes: WriteQueue;
  readonly limits: CoordinatorNodeLimits;
  readonly header: Header;
}

/** etcd's KV, but for Compact. */
export function kvCalls(parts: ServiceParts): Record<string, UnaryHandler> {
  const { store, history, leases, writes, limits, header } = parts;
  const written = <Response>(apply: (ground: Ground) => Response): Promise<Written<Response>> =>
    writes.run((write) => apply({ store, history, leases, write }));
  const read = (request: RangeRequest): Written<Encodable<typeof rangeResponse>> => {
    checkRange(request);
    const revision = writes.durableRevision;
    const view = viewAt(store, history, revisionOf(request, revision, history.compacted));
    return { result: answerRange(view, request), revision };
  };
  return {
    [methods.range]: call(rangeRequest, rangeResponse, header, async (request) => read(request)),
    [methods.put]: call(putRequest, putResponse, header, (request) => {
      checkPut(request);
      return written((ground) => applyPut(ground, request));
    }),
    [methods.deleteRange]: call(deleteRangeRequest, deleteRangeResponse, header, (request) => {
      checkDeleteRange(request);
      return written((ground) => applyDeleteRange(ground, request));
    }),
    [methods.txn]: call(txnRequest, txnResponse, header, (request) => {
      const txn = readTxn(request, limits.transactionOperationsMax);
      return written((ground) => applyTxn(ground, txn));
    }),
  };
}

/** Decodes, serves, adds the header as of the answer, encodes. */
export function call<Request extends Fields, Response extends Fields>(
  request: Request,
  response: Response,
  header: Header,
  serve: (request: Decoded<Request>) => Promise<Written<Encodable<Response>>>,
): UnaryHandler {
  return async (bytes) => {
    const { result, revision } = await serve(decode(request, bytes));
    return encode(response, { ...result, header: header(revision) });
  };
}
