import type { Random } from "../../runtime/random.ts";
import {
  authenticateRequest,
  authenticateResponse,
  deleteRangeRequest,
  deleteRangeResponse,
  leaseGrantRequest,
  leaseGrantResponse,
  leaseKeepAliveRequest,
  leaseKeepAliveResponse,
  leaseLeasesResponse,
  leaseRevokeRequest,
  leaseRevokeResponse,
  leaseTimeToLiveRequest,
  leaseTimeToLiveResponse,
  methods,
  putRequest,
  putResponse,
  rangeRequest,
  rangeResponse,
  type responseHeader,
  txnRequest,
  txnResponse,
} from "../etcd/messages.ts";
import { type Decoded, decode, type Encodable, encode, type Fields } from "../etcd/protobuf.ts";
import { refusal } from "./grpc-error.ts";
import type { GrpcServices, UnaryHandler } from "./grpc-server.ts";
import type { KeyStore } from "./key-store.ts";
import type { Leases } from "./leases.ts";
import type { CoordinatorNodeLimits } from "./limits.ts";
import { answerRange } from "./range.ts";
import { applyDeleteRange, applyPut, applyTxn, type Ground } from "./transaction.ts";
import { type WatchServiceParts, watchService } from "./watch-service.ts";
import type { Write, WriteQueue, Written } from "./write-queue.ts";

export type Header = (revision: bigint) => Encodable<typeof responseHeader>;

export interface ServiceParts extends WatchServiceParts {
  readonly store: KeyStore;
  readonly leases: Leases;
  readonly writes: WriteQueue;
  readonly limits: CoordinatorNodeLimits;
  readonly random: Random;
  /** The token for the password. @throws GrpcError */
  readonly authenticate: (password: string) => string;
}

/** etcd's own bound on a lease's time, in seconds. */
const leaseTtlSecondsMax = 9_000_000_000n;

/** The calls that the node answers, by etcd's method names. */
export function coordinatorServices(parts: ServiceParts): GrpcServices {
  const header = () => parts.header(parts.store.revision);
  return {
    unary: {
      ...kvCalls(parts),
      ...leaseCalls(parts),
      [methods.authenticate]: call(
        authenticateRequest,
        authenticateResponse,
        parts.header,
        async ({ password }) => {
          const result = { token: parts.authenticate(password) };
          return { result, revision: parts.store.revision };
        },
      ),
    },
    streams: {
      [methods.watch]: watchService(parts),
      [methods.leaseKeepAlive]: (call) => ({
        message(bytes) {
          const { id } = decode(leaseKeepAliveRequest, bytes);
          const ttl = parts.leases.renew(id) ? (parts.leases.get(id)?.ttlSeconds ?? 0n) : 0n;
          call.send(encode(leaseKeepAliveResponse, { header: header(), id, ttl }));
        },
      }),
    },
  };
}

function kvCalls(parts: ServiceParts): Record<string, UnaryHandler> {
  const { store, leases, writes, limits, header } = parts;
  const written = <Response>(apply: (ground: Ground) => Response): Promise<Written<Response>> =>
    writes.run((write) => apply({ store, leases, write }));
  return {
    [methods.range]: call(rangeRequest, rangeResponse, header, async (request) => ({
      result: answerRange(store, request),
      revision: store.revision,
    })),
    [methods.put]: call(putRequest, putResponse, header, (request) =>
      written((ground) => applyPut(ground, request)),
    ),
    [methods.deleteRange]: call(deleteRangeRequest, deleteRangeResponse, header, (request) =>
      written((ground) => applyDeleteRange(ground, request)),
    ),
    [methods.txn]: call(txnRequest, txnResponse, header, (request) =>
      written((ground) => applyTxn(ground, request, limits.transactionOperationsMax)),
    ),
  };
}

function leaseCalls(parts: ServiceParts): Record<string, UnaryHandler> {
  const { store, leases, writes, limits, random, header } = parts;
  const grant = (write: Write, asked: bigint, ttl: bigint): { id: bigint; ttl: bigint } => {
    if (leases.size >= limits.leasesMax) throw refusal("tooManyRequests");
    if (ttl > leaseTtlSecondsMax) throw refusal("leaseTtlTooLarge");
    const id = asked === 0n ? freeLeaseId(leases, random) : asked;
    if (leases.get(id) !== undefined) throw refusal("leaseExists");
    const ttlSeconds = ttl < 1n ? 1n : ttl;
    write.grant({ id, ttlSeconds });
    return { id, ttl: ttlSeconds };
  };
  const timeToLive = (id: bigint, withKeys: boolean): Encodable<typeof leaseTimeToLiveResponse> => {
    const lease = leases.get(id);
    if (lease === undefined) return { id, ttl: -1n };
    const keys = withKeys ? leases.keysOf(id).map((key) => Buffer.from(key, "latin1")) : [];
    return { id, ttl: leases.remainingSeconds(id), grantedTtl: lease.ttlSeconds, keys };
  };
  return {
    [methods.leaseGrant]: call(leaseGrantRequest, leaseGrantResponse, header, ({ id, ttl }) =>
      writes.run((write) => grant(write, id, ttl)),
    ),
    [methods.leaseRevoke]: call(leaseRevokeRequest, leaseRevokeResponse, header, ({ id }) =>
      writes.run((write) => {
        write.endLease(id);
        return {};
      }),
    ),
    [methods.leaseTimeToLive]: call(
      leaseTimeToLiveRequest,
      leaseTimeToLiveResponse,
      header,
      async ({ id, keys }) => ({ result: timeToLive(id, keys), revision: store.revision }),
    ),
    [methods.leaseLeases]: call({}, leaseLeasesResponse, header, async () => ({
      result: { leases: leases.ids().map((id) => ({ id })) },
      revision: store.revision,
    })),
  };
}

/** Decodes, serves, adds the header as of the answer, encodes. */
function call<Request extends Fields, Response extends Fields>(
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

function freeLeaseId(leases: Leases, random: Random): bigint {
  for (;;) {
    const id = (BigInt(random.below(2 ** 31)) << 32n) | BigInt(random.below(2 ** 32));
    if (id !== 0n && leases.get(id) === undefined) return id;
  }
}
