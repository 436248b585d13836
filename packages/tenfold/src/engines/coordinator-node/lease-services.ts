import type { Random } from "../../runtime/random.ts";
import {
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
} from "../etcd/messages.ts";
import { decode, type Encodable, encode } from "../etcd/protobuf.ts";
import { refusal } from "./grpc-error.ts";
import type { StreamHandler, UnaryHandler } from "./grpc-server.ts";
import type { Leases } from "./leases.ts";
import { call, type ServiceParts } from "./services.ts";
import type { Write, Written } from "./write-queue.ts";

/** etcd's own bound on a lease's time, in seconds. */
const leaseTtlSecondsMax = 9_000_000_000n;

/** etcd's Lease, but for KeepAlive. */
export function leaseCalls(parts: ServiceParts, random: Random): Record<string, UnaryHandler> {
  const { leases, writes, limits, header } = parts;
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
  /** Leases have no past to look at: who asks waits for what is on its way to the disk. */
  const told = <Result>(look: () => Result): Promise<Written<Result>> =>
    writes.atRest(() => ({ result: look(), revision: writes.durableRevision }));
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
      ({ id, keys }) => told(() => timeToLive(id, keys)),
    ),
    [methods.leaseLeases]: call({}, leaseLeasesResponse, header, () =>
      told(() => ({ leases: leases.ids().map((id) => ({ id })) })),
    ),
  };
}

/** A stream of renewals, each answered with the time it has again; 0 for a lease that is over. */
export function keepAlive({ leases, writes, header }: ServiceParts): StreamHandler {
  return (stream) => ({
    async message(bytes) {
      const { id } = decode(leaseKeepAliveRequest, bytes);
      leases.renew(id);
      const ttl = await writes.atRest(() => leases.get(id)?.ttlSeconds ?? 0n);
      const answer = { header: header(writes.durableRevision), id, ttl };
      stream.send(encode(leaseKeepAliveResponse, answer));
    },
  });
}

function freeLeaseId(leases: Leases, random: Random): bigint {
  for (;;) {
    const id = (BigInt(random.below(2 ** 31)) << 32n) | BigInt(random.below(2 ** 32));
    if (id !== 0n && leases.get(id) === undefined) return id;
  }
}
