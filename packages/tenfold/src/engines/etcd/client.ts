import {
  type CallOptions,
  type Change,
  type Condition,
  type Coordinator,
  coordinatorDefaults,
  type Listing,
  type Session,
  type Transaction,
  type TransactionResult,
} from "../../coordination/coordinator.ts";
import { TenfoldError } from "../../runtime/errors.ts";
import { numberOption, refuseUnknownKeys } from "../../runtime/options.ts";
import { type Runtime, runtimeWith } from "../../runtime/runtime.ts";
import { createChannel, type UnaryMethod } from "./channel.ts";
import { parseEtcdEndpoints } from "./endpoints.ts";
import { entryOf, keyBytes, prefixRange } from "./entries.ts";
import { grpcStatus } from "./grpc-frame.ts";
import { leaseSession } from "./lease-session.ts";
import {
  compareResult,
  compareTarget,
  leaseGrantRequest,
  leaseGrantResponse,
  methods,
  rangeRequest,
  rangeResponse,
  txnRequest,
  txnResponse,
} from "./messages.ts";
import { watchPrefix } from "./prefix-watch.ts";
import type { Decoded, Encodable, Fields } from "./protobuf.ts";
import { portError, RpcError } from "./rpc-error.ts";

export interface EtcdOptions {
  /** `http://127.0.0.1:2379`, several of them, or `etcd://host1:2379,host2:2379`. */
  readonly endpoints: string | readonly string[];
  /** Sent with every call; what the embedded node wants. */
  readonly token?: string | undefined;
  /** For etcd's own authentication: a token is then asked for, and again when it expires. */
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly runtime?: Partial<Runtime>;
}

const range = { path: methods.range, request: rangeRequest, response: rangeResponse };
const txn = { path: methods.txn, request: txnRequest, response: txnResponse };
const grant = {
  path: methods.leaseGrant,
  request: leaseGrantRequest,
  response: leaseGrantResponse,
};

/**
 * A client of etcd 3.4 and newer, or of the embedded node. Returns at once and connects when it is
 * first used; servers that are down are tried again by the next call.
 *
 * @throws TENFOLD_COORDINATION_ENDPOINT_INVALID, TENFOLD_OPTION_UNKNOWN
 */
export function connectEtcd(options: EtcdOptions): Coordinator {
  const known = ["endpoints", "token", "user", "password", "runtime"];
  refuseUnknownKeys("connectEtcd", options, known);
  const runtime = runtimeWith(options.runtime);
  const { token, user, password } = options;
  const endpoints = parseEtcdEndpoints(options.endpoints);
  const channel = createChannel(endpoints, { token, user, password }, runtime);
  const sessions = new Set<Session>();

  const call = <Request extends Fields, Response extends Fields>(
    method: UnaryMethod<Request, Response>,
    request: Encodable<Request>,
    { signal, timeoutMs = coordinatorDefaults.callTimeoutMs }: CallOptions = {},
    idempotent = true,
  ): Promise<Decoded<Response>> =>
    channel.unary(method, request, { signal, timeoutMs, idempotent });

  const list = async (prefix: string, options?: CallOptions): Promise<Listing> => {
    const { kvs, header } = await call(range, prefixRange(prefix), options).catch(rethrow);
    // By code unit, as every engine sorts; etcd's order is by UTF-8 byte.
    const entries = kvs.map(entryOf).sort((a, b) => (a.key < b.key ? -1 : 1));
    return { entries, revision: header?.revision ?? 0n };
  };

  return {
    async openSession({ ttlMs, ...options }) {
      numberOption("ttlMs", ttlMs, { min: 1_000, max: 3_600_000 });
      const grantedAt = runtime.clock.now();
      const request = { ttl: BigInt(Math.ceil(ttlMs / 1_000)) };
      // A grant whose answer is lost leaves a lease that nobody renews: it may well be repeated.
      const { id, ttl } = await call(grant, request, options).catch(rethrow);
      const lease = { id, ttlMs: Number(ttl) * 1_000, grantedAt };
      const session = leaseSession(channel, runtime, lease);
      sessions.add(session);
      session.signal.addEventListener("abort", () => sessions.delete(session), { once: true });
      return session;
    },
    async get(key, options) {
      const { kvs } = await call(range, { key: keyBytes(key) }, options).catch(rethrow);
      return kvs[0] === undefined ? undefined : entryOf(kvs[0]);
    },
    list,
    async transact(transaction, options) {
      try {
        return resultOf(await call(txn, requestOf(transaction), options, false));
      } catch (error) {
        const isUnsure = error instanceof RpcError && error.mayHaveApplied;
        if (isUnsure) return { outcome: "indeterminate", cause: portError(error) };
        if (isLeaseNotFound(error)) throw sessionLost(error);
        throw portError(error);
      }
    },
    watch(prefix, { signal } = {}) {
      const until = signal ? AbortSignal.any([signal, channel.closing]) : channel.closing;
      const relist = (of: string, during: AbortSignal): Promise<Listing> =>
        list(of, { signal: during });
      return watchPrefix({ channel, runtime, list: relist }, prefix, until);
    },
    async close() {
      await Promise.all([...sessions].map((session) => session.close()));
      channel.close();
    },
  };
}

function requestOf({
  when = [],
  change,
  otherwiseRead = [],
}: Transaction): Encodable<typeof txnRequest> {
  return {
    compare: when.map(compareOf),
    success: change.map(operationOf),
    failure: otherwiseRead.map((key) => ({ range: { key: keyBytes(key) } })),
  };
}

function compareOf(condition: Condition) {
  const key = keyBytes(condition.key);
  if ("revision" in condition) {
    const { equal: result } = compareResult;
    return { key, result, target: compareTarget.mod, modRevision: condition.revision };
  }
  // A key that is absent has create revision 0.
  const result = condition.is === "absent" ? compareResult.equal : compareResult.greater;
  return { key, result, target: compareTarget.create, createRevision: 0n };
}

function operationOf(change: Change) {
  if ("delete" in change) return { deleteRange: { key: keyBytes(change.delete) } };
  const lease = change.session === undefined ? 0n : BigInt(change.session.id);
  return { put: { key: keyBytes(change.put), value: keyBytes(change.value), lease } };
}

function resultOf(response: Decoded<typeof txnResponse>): TransactionResult {
  const revision = response.header?.revision ?? 0n;
  if (response.succeeded) return { outcome: "applied", revision };
  const reads = response.responses.flatMap((one) => (one.range?.kvs ?? []).map(entryOf));
  return { outcome: "refused", revision, reads };
}

function isLeaseNotFound(error: unknown): boolean {
  return error instanceof RpcError && error.status === grpcStatus.notFound;
}

function sessionLost(cause: unknown): TenfoldError {
  return new TenfoldError(
    "TENFOLD_COORDINATION_SESSION_LOST",
    "The server no longer knows a session that the transaction names.",
    { cause },
  );
}

function rethrow(error: unknown): never {
  throw portError(error);
}
