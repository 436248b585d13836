import {
  type Coordinator,
  type CoordinatorCapabilities,
  coordinatorDefaults,
  type Listing,
  type ReadOptions,
  type Session,
  type TransactionResult,
} from "../../coordination/coordinator.ts";
import { checkKey, checkPrefix, checkTransaction } from "../../coordination/coordinator-input.ts";
import { createOrdered } from "../../coordination/create-ordered.ts";
import { steadyTime } from "../../coordination/steady-time.ts";
import { TenfoldError } from "../../runtime/errors.ts";
import { numberOption } from "../../runtime/options.ts";
import { entryOf, keyBytes, prefixRange } from "./entries.ts";
import { grpcStatus } from "./grpc-frame.ts";
import { leaseSession } from "./lease-session.ts";
import { leaseGrantRequest, leaseGrantResponse, methods } from "./messages.ts";
import { type EtcdOptions, openChannel } from "./open-channel.ts";
import { watchPrefix } from "./prefix-watch.ts";
import { reader } from "./reads.ts";
import { portError, RpcError } from "./rpc-error.ts";
import { transactor } from "./transactions.ts";

const grant = {
  path: methods.leaseGrant,
  request: leaseGrantRequest,
  response: leaseGrantResponse,
};

const capabilities: CoordinatorCapabilities = Object.freeze({
  durability: "oneFsync",
  historyWindow: true,
  keyBytesMax: 4_096,
  valueBytesMax: 1_048_576,
  minTtlMs: 2_000,
  // etcd's 128 less the condition and the read that every transaction carries of the generation.
  operationsMax: 127,
  reads: ["linearizable", "stale"],
  tokensSurviveRestore: true,
} as const);

const ofMajority: CoordinatorCapabilities = Object.freeze({
  ...capabilities,
  durability: "quorum",
});

/**
 * A client of etcd 3.4 and newer, or of the embedded node. Returns at once and connects when it is
 * first used; servers that are down are tried again by the next call.
 *
 * @throws TENFOLD_COORDINATION_ENDPOINT_INVALID, TENFOLD_OPTION_UNKNOWN, TENFOLD_OPTION_INVALID
 */
export function connectEtcd(options: EtcdOptions): Coordinator {
  const { channel, store, facts, runtime } = openChannel("connectEtcd", options);
  const sessions = new Set<Session>();
  const read = reader(channel, store);
  const transact = transactor(channel, store, runtime);

  const get: Coordinator["get"] = async (key, options) => {
    checkKey(key, capabilities);
    const { kvs, generation } = await read({ key: keyBytes(key) }, options).catch(rethrow);
    return kvs[0] === undefined ? undefined : entryOf(kvs[0], generation);
  };
  const list = async (prefix: string, options?: ReadOptions): Promise<Listing> => {
    checkPrefix(prefix, capabilities);
    const answer = await read(prefixRange(prefix), options).catch(rethrow);
    const entries = answer.kvs.map((kv) => entryOf(kv, answer.generation));
    // By code unit, as every engine sorts; etcd's order is by UTF-8 byte.
    entries.sort((a, b) => (a.key < b.key ? -1 : 1));
    return { entries, revision: answer.header?.revision ?? 0n };
  };
  const calls: Pick<Coordinator, "get" | "transact"> = {
    get,
    async transact(transaction, options): Promise<TransactionResult> {
      checkTransaction(transaction, capabilities);
      try {
        return await transact(transaction, options);
      } catch (error) {
        const isUnsure = error instanceof RpcError && error.mayHaveApplied;
        if (isUnsure) return { outcome: "indeterminate", cause: portError(error) };
        if (isLeaseNotFound(error)) throw sessionLost(error);
        throw portError(error);
      }
    },
  };

  return {
    get capabilities() {
      return (facts.members ?? 1) > 1 ? ofMajority : capabilities;
    },
    ...calls,
    list,
    createOrdered: (entry, options) => createOrdered(calls, entry, runtime, options),
    async openSession({
      ttlMs,
      atClose = "end",
      signal,
      timeoutMs = coordinatorDefaults.callTimeoutMs,
    }) {
      numberOption("ttlMs", ttlMs, { min: 1_000, max: 3_600_000 });
      const call = { signal, timeoutMs, idempotent: true };
      await channel.identified(call).catch(rethrow);
      const { era } = store.mark();
      const time = steadyTime(runtime.clock);
      const grantedAt = time.now();
      const request = { ttl: BigInt(Math.ceil(ttlMs / 1_000)) };
      // A grant whose answer is lost leaves a lease that nobody renews: it may well be repeated.
      const { id, ttl } = await channel.unary(grant, request, call).catch(rethrow);
      const lease = { id, ttlMs: Number(ttl) * 1_000, grantedAt, time, era, atClose };
      const session = leaseSession(channel, runtime, lease);
      sessions.add(session);
      session.signal.addEventListener("abort", () => sessions.delete(session), { once: true });
      return session;
    },
    watch(prefix, { signal } = {}) {
      checkPrefix(prefix, capabilities);
      const until = signal ? AbortSignal.any([signal, channel.closing]) : channel.closing;
      const relist = (of: string, during: AbortSignal): Promise<Listing> =>
        list(of, { signal: during });
      return watchPrefix({ channel, store, runtime, list: relist }, prefix, until);
    },
    async close() {
      await Promise.all([...sessions].map((session) => session.close()));
      channel.close();
    },
  };
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
