import { isIP } from "node:net";

import { errorText, TenfoldError } from "../../runtime/errors.ts";
import type { SocketAddress } from "../../runtime/network.ts";
import { refuseUnknownKeys } from "../../runtime/options.ts";
import { type Runtime, runtimeWith } from "../../runtime/runtime.ts";
import { authenticateRequest, authenticateResponse, methods } from "../etcd/messages.ts";
import { admission } from "./admission.ts";
import { createGrpcServer, type GrpcServices, type ServerTls } from "./grpc-server.ts";
import { history } from "./history.ts";
import type { JournalState } from "./journal-state.ts";
import { keyText } from "./key-range.ts";
import { keyStore, type Revised } from "./key-store.ts";
import { keepAlive, leaseCalls } from "./lease-services.ts";
import { endLeasesInTime, type Leases, leases as leaseTable } from "./leases.ts";
import { type CoordinatorNodeLimits, coordinatorNodeLimits } from "./limits.ts";
import { type OpenData, openData } from "./open-data.ts";
import { memberId, operatorCalls, snapshotCall } from "./operator-services.ts";
import { call, kvCalls } from "./services.ts";
import type { CoordinatorUser } from "./users.ts";
import { watchHub } from "./watch-hub.ts";
import { watchService } from "./watch-service.ts";
import { createWriteQueue } from "./write-queue.ts";

export interface CoordinatorNodeOptions {
  /** An IP address of this machine; port 0 takes a free one. */
  readonly listen: SocketAddress;
  /** A folder of its own; made when it is not there. */
  readonly dataFolder: string;
  /** Whose data it is, a fleet's name say; a folder of another is refused. Default: anyone's. */
  readonly name?: string;
  /** What callers must show. Only an explicit `undefined` serves everyone who reaches the port. */
  readonly token: string | undefined;
  /** Who else may call, by name and password; see `readUsers`. Default nobody. */
  readonly users?: readonly CoordinatorUser[];
  /** Default cleartext, which only a loopback address may speak. */
  readonly tls?: ServerTls | undefined;
  readonly limits?: Partial<CoordinatorNodeLimits>;
  readonly runtime?: Partial<Runtime>;
}

export interface CoordinatorNode {
  /** Where it listens, with the real port. */
  readonly address: SocketAddress;
  /** Takes nothing new, commits and answers what waits, gives the folder free. Idempotent. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** How far commits came is noted so often. */
const markEveryMs = 200;

/**
 * Starts the embedded coordinator: one durable node that speaks etcd's v3 API, as `connectEtcd`,
 * `etcdctl` and other clients of etcd use it. Needs `node:sqlite` for the lock of its folder.
 *
 * @throws TENFOLD_COORDINATOR_NODE_EXPOSED, TENFOLD_COORDINATOR_NODE_FOLDER_IN_USE,
 *   TENFOLD_COORDINATOR_NODE_DATA_UNKNOWN, TENFOLD_COORDINATOR_NODE_DATA_DAMAGED,
 *   TENFOLD_COORDINATOR_NODE_DATA_FOREIGN, TENFOLD_COORDINATOR_NODE_STORAGE_FAILED,
 *   TENFOLD_COORDINATOR_NODE_PORT_TAKEN, TENFOLD_COORDINATOR_NODE_CERTIFICATE_INVALID
 */
export async function createCoordinatorNode(
  options: CoordinatorNodeOptions,
): Promise<CoordinatorNode> {
  const known = ["listen", "dataFolder", "name", "token", "users", "tls", "limits", "runtime"];
  refuseUnknownKeys("createCoordinatorNode", options, known);
  refuseExposed(options);
  const runtime = runtimeWith(options.runtime);
  const { clock, log } = runtime;
  const data = await openData(options.dataFolder, options.name);
  const limits = { ...coordinatorNodeLimits, ...options.limits };
  const parts = assemble(options, data, limits, runtime);
  const { listen, tls } = options;
  const { services, admit, writes, leases, address } = parts;
  const server = await createGrpcServer({ listen, tls, services, admit, limits, clock, log }).catch(
    async (error: unknown) => {
      await data.close();
      throw error;
    },
  );
  address.port = server.address.port;
  const stopEndingLeases = endLeasesInTime({ leases, writes, clock, log });
  const mark = (): void => {
    data.journal.mark().catch((error: unknown) =>
      log.warn("noting the end of the log failed", {
        error: errorText(error),
      }),
    );
    timer = clock.setTimer(markEveryMs, mark, { keepAlive: false });
  };
  let timer = clock.setTimer(markEveryMs, mark, { keepAlive: false });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= (async () => {
      timer.cancel();
      stopEndingLeases();
      await server.close();
      await writes.close();
      await data.close();
    })();
    return closed;
  };
  return { address: server.address, close, [Symbol.asyncDispose]: close };
}

/** Everything but the port. */
function assemble(
  options: CoordinatorNodeOptions,
  { state, journal }: OpenData,
  limits: CoordinatorNodeLimits,
  { clock, log, random }: Runtime,
) {
  const store = keyStore(state, limits);
  const past = history(state, limits);
  past.trim();
  const leases = leaseTable(clock, state.leases);
  leases.track(state.entries.map((now) => ({ key: keyText(now.key), now, before: undefined })));
  const { clusterId, name, starts } = state;
  const capture = (): JournalState => ({
    ...{ clusterId, name, starts },
    revision: store.revision,
    compacted: past.compacted,
    entries: store.range({ start: "", end: undefined }),
    revised: past.kept(),
    leases: leases.all(),
  });
  const hub = watchHub({ history: past, revision: () => writes.durableRevision });
  const onDurable = (revised: readonly Revised[]): void => {
    hub.publish(revised);
    if (!journal.isOvergrown) return;
    journal.rewrite(capture()).catch((error: unknown) => {
      log.error("the log could not be written anew and grows on", { error: errorText(error) });
    });
  };
  const writes = createWriteQueue({
    ...{ store, history: past, leases, journal, limits, log, onDurable },
  });
  const header = (revision: bigint) => {
    return { clusterId, memberId, revision, raftTerm: starts };
  };
  const { listen, token, users = [], tls } = options;
  const address = { host: listen.host, port: listen.port };
  const scheme = tls === undefined ? "http" : "https";
  const clientUrl = (): string => {
    const host = isIP(address.host) === 6 ? `[${address.host}]` : address.host;
    return `${scheme}://${host}:${address.port}`;
  };
  const { admit, authenticate } = admission({
    ...{ token, users, host: listen.host, isTls: tls !== undefined, wallNow: clock.wallNow },
  });
  const common = { store, history: past, leases, writes, limits, header };
  const operator = { ...common, journal, capture, name, clientUrl };
  const login = call(authenticateRequest, authenticateResponse, header, async (request) => ({
    result: { token: await authenticate(request.name, request.password) },
    revision: writes.durableRevision,
  }));
  const services: GrpcServices = {
    unary: {
      ...kvCalls(common),
      ...leaseCalls(common, random),
      ...operatorCalls(operator),
      [methods.authenticate]: login,
    },
    lists: { [methods.snapshot]: snapshotCall(operator) },
    streams: {
      [methods.leaseKeepAlive]: keepAlive(common),
      [methods.watch]: watchService({
        ...{ hub, header, limits, clock, revision: () => writes.durableRevision },
      }),
    },
  };
  return { services, admit, writes, leases: leases as Leases, address };
}

/** Off loopback the traffic is read and anyone may call: both need an answer. */
function refuseExposed({ listen, token, users = [], tls }: CoordinatorNodeOptions): void {
  const isLoopback = listen.host === "localhost" || /^(127\.|::1$)/.test(listen.host);
  const isOpen = token === undefined && users.length === 0;
  if (isLoopback || (tls !== undefined && !isOpen)) return;
  const missing = [...(tls === undefined ? ["a certificate"] : []), ...(isOpen ? ["a token"] : [])];
  throw new TenfoldError(
    "TENFOLD_COORDINATOR_NODE_EXPOSED",
    `${listen.host} is no loopback address: listening there needs ${missing.join(" and ")}.`,
    { details: { host: listen.host } },
  );
}
