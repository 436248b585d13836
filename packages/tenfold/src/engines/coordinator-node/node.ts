import { randomBytes } from "node:crypto";
import type { SocketAddress } from "../../runtime/network.ts";
import { refuseUnknownKeys } from "../../runtime/options.ts";
import { type Runtime, runtimeWith } from "../../runtime/runtime.ts";
import { admission } from "./admission.ts";
import { createGrpcServer } from "./grpc-server.ts";
import { history } from "./history.ts";
import { openJournal } from "./journal.ts";
import { keyText } from "./key-range.ts";
import { keyStore, type Revised } from "./key-store.ts";
import { leases as leaseTable } from "./leases.ts";
import { type CoordinatorNodeLimits, coordinatorNodeLimits } from "./limits.ts";
import { coordinatorServices } from "./services.ts";
import { watchHub } from "./watch-hub.ts";
import { createWriteQueue } from "./write-queue.ts";

export interface CoordinatorNodeOptions {
  /** An IP address of this machine; port 0 takes a free one. */
  readonly listen: SocketAddress;
  /** A folder of its own; made when it is not there. */
  readonly dataFolder: string;
  /** What callers must show. Only an explicit `undefined` serves everyone who reaches the port. */
  readonly token: string | undefined;
  readonly limits?: Partial<CoordinatorNodeLimits>;
  readonly runtime?: Partial<Runtime>;
}

export interface CoordinatorNode {
  /** Where it listens, with the real port. */
  readonly address: SocketAddress;
  /** Commits what waits, cuts every connection, gives the folder free. Idempotent. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Leases end at most this long after their time. */
const leaseSweepEveryMs = 200;

/**
 * Starts the embedded coordinator: one durable node that speaks the part of etcd's v3 API that
 * `connectEtcd` and `etcdctl` put, get, del, txn, watch and lease use. Needs `node:sqlite`.
 *
 * @throws TENFOLD_COORDINATOR_NODE_FOLDER_IN_USE, TENFOLD_COORDINATOR_NODE_DATA_UNKNOWN,
 *   TENFOLD_COORDINATOR_NODE_STORAGE_FAILED, TENFOLD_COORDINATOR_NODE_PORT_TAKEN
 */
export async function createCoordinatorNode(
  options: CoordinatorNodeOptions,
): Promise<CoordinatorNode> {
  const known = ["listen", "dataFolder", "token", "limits", "runtime"];
  refuseUnknownKeys("createCoordinatorNode", options, known);
  const limits = { ...coordinatorNodeLimits, ...options.limits };
  const { clock, log, random } = runtimeWith(options.runtime);
  const journal = openJournal(options.dataFolder, randomBytes(8).readBigInt64BE() >> 1n);
  const { state } = journal;
  const store = keyStore(state, limits);
  const past = history(store.revision, limits);
  const hub = watchHub(store, past);
  const leases = leaseTable(clock, state.leases);
  leases.track(state.entries.map((now) => ({ key: keyText(now.key), now, before: undefined })));
  const onDurable = (revised: readonly Revised[]): void => {
    for (const one of revised) past.add(one);
    hub.publish();
  };
  const writes = createWriteQueue({ store, leases, journal, limits, log, onDurable });
  const header = (revision: bigint) => ({
    clusterId: BigInt.asUintN(64, state.clusterId),
    memberId: 1n,
    revision,
    raftTerm: state.generation,
  });
  const { admit, authenticate } = admission(options.token, options.listen.host);
  const services = coordinatorServices({
    ...{ store, leases, writes, limits, random, hub, header, clock, authenticate },
  });
  const { listen } = options;
  const server = await createGrpcServer({ listen, services, admit, limits, clock, log }).catch(
    (error: unknown) => {
      journal.close();
      throw error;
    },
  );

  const endLeases = (): void => {
    for (const id of leases.expired()) {
      writes
        .run((write) => {
          // It may have been renewed or revoked meanwhile.
          if (leases.isExpired(id)) write.endLease(id);
        })
        .catch((error: unknown) => log.warn("ending a lease failed", { lease: id, error }));
    }
  };
  const sweep = (): void => {
    // After the event loop was blocked, renewals that came in time are still in the sockets: they
    // are read first.
    if (leases.expired().length > 0) setImmediate(endLeases);
    timer = clock.setTimer(leaseSweepEveryMs, sweep, { keepAlive: false });
  };
  let timer = clock.setTimer(leaseSweepEveryMs, sweep, { keepAlive: false });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= (async () => {
      timer.cancel();
      writes.close();
      await server.close();
      journal.close();
    })();
    return closed;
  };
  return { address: server.address, close, [Symbol.asyncDispose]: close };
}
