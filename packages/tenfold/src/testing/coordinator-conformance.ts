import type { Coordinator } from "../coordination/coordinator.ts";
import type { SocketAddress } from "../runtime/network.ts";
import { type ClientModule, type ClientProcess, startClientProcess } from "./client-process.ts";
import { lossCases } from "./coordinator-loss-cases.ts";
import { mapCases } from "./coordinator-map-cases.ts";
import { queueCases } from "./coordinator-queue-cases.ts";
import { serverCases } from "./coordinator-server-cases.ts";
import { sessionCases } from "./coordinator-session-cases.ts";
import {
  agree,
  type CoordinatorCase,
  type CoordinatorGround,
  type CoordinatorNeed,
  eventually,
  follow,
  type QuorumControl,
} from "./coordinator-steps.ts";
import { gapCases, watchCases } from "./coordinator-watch-cases.ts";
import { createFaultProxies, type FaultProxies } from "./fault-proxies.ts";
import { failureOf, type KnownServerFault } from "./known-failure.ts";

/** What stands ready; a case that needs what is left out says so instead of running. */
export interface CoordinatorConformanceOptions {
  /** A new client of the same servers; with `through`, one that reaches them at these addresses. */
  connect(through?: readonly SocketAddress[]): Promise<Coordinator>;
  /** Where the servers listen: the suite puts proxies of its own before them. */
  readonly addresses?: readonly SocketAddress[];
  /** Ends the servers as a crash would, and starts them on the same data and addresses. */
  restart?(): Promise<void>;
  /** Makes the servers forget their history up to the present. */
  compact?(): Promise<void>;
  /** Stops the servers' processes (SIGSTOP) and lets them go on. */
  readonly freeze?: { pause(): void; resume(): void };
  /** Several servers of which a majority decides. */
  readonly quorum?: QuorumControl;
  /** Copies the data, and puts the copy back in the place of what came after it. */
  readonly backup?: { take(): Promise<void>; restore(): Promise<void> };
  /** How a client is made in a process of its own, to be stopped and killed. */
  readonly clientProcess?: ClientModule;
  /** Path of libfaketime's library, for clients whose clocks are wrong. */
  readonly fakeClock?: string;
  /** The shortest time to live that the servers grant; default 2,000 ms. */
  readonly ttlMs?: number;
  /** How many sessions expire at once; default 1,000. */
  readonly sessions?: number;
  /**
   * What is known to be wrong with the servers of the version that is connected; asked after a case
   * has failed. A failure that one of them accounts for is rejected with as a `KnownFailure`.
   */
  knownFaults?(): Promise<readonly KnownServerFault[]>;
  /** A case that waits so long for one thing has failed; default 40,000 ms. */
  readonly patienceMs?: number;
}

export interface CoordinatorConformanceCase {
  readonly name: string;
  /** Which of the suite's twenty properties it shows; undefined for what the port says besides. */
  readonly property?: number | undefined;
  /** Why it cannot be run with these options, in words; undefined when it can. */
  readonly needs?: string;
  /** Others may run beside it; not so when it restarts, stops or floods the servers. */
  readonly isConcurrent: boolean;
  run(): Promise<void>;
}

/**
 * What every engine of the coordinator port must do, as cases for any test runner. A case that
 * rejects has failed. First come those that may run beside each other, which takes about 15
 * seconds; the others, one after the other, take about a second or ten each.
 */
export function coordinatorConformance(
  options: CoordinatorConformanceOptions,
): readonly CoordinatorConformanceCase[] {
  const all: Readonly<Record<string, CoordinatorCase>> = {
    ...{ ...mapCases, ...watchCases, ...gapCases },
    ...{ ...sessionCases, ...lossCases, ...queueCases, ...serverCases },
  };
  const cases = Object.entries(all).map(([name, one], index): CoordinatorConformanceCase => {
    // By key: a runner may start its servers only after it has listed the cases.
    const missing = (one.needs ?? []).filter((need) => !(need in options));
    const { property } = one;
    const run = () =>
      runCase(options, one, `/conformance/${index}/`).catch(async (error: unknown) => {
        throw failureOf(error, property, (await options.knownFaults?.()) ?? []);
      });
    const known = { name, property, isConcurrent: one.isAlone !== true, run };
    return missing.length === 0 ? known : { ...known, needs: words(missing) };
  });
  return [...cases.filter((one) => one.isConcurrent), ...cases.filter((one) => !one.isConcurrent)];
}

async function runCase(
  options: CoordinatorConformanceOptions,
  one: CoordinatorCase,
  prefix: string,
): Promise<void> {
  const { ttlMs = 2_000, sessions = 1_000, patienceMs = 40_000 } = options;
  const clients: Coordinator[] = [];
  const processes: ClientProcess[] = [];
  const isBetween = one.needs?.includes("addresses") && options.addresses !== undefined;
  const proxies = isBetween ? await createFaultProxies(options.addresses ?? []) : undefined;
  const connect = async (through?: readonly SocketAddress[]): Promise<Coordinator> => {
    const client = patient(await options.connect(through), patienceMs);
    clients.push(client);
    return client;
  };
  const ground: CoordinatorGround = {
    ...{ prefix, ttlMs, sessions, patienceMs },
    connect: () => connect(),
    connectThroughProxy: () => connect(proxies?.addresses),
    proxy: proxies as FaultProxies,
    async startProcess({ isBehindProxy, ...process } = {}) {
      const through = isBehindProxy ? proxies?.addresses : undefined;
      const module = options.clientProcess as ClientModule;
      const started = await startClientProcess(module, through, process, options.fakeClock);
      processes.push(started);
      return started;
    },
    restart: async () => options.restart?.(),
    compact: async () => options.compact?.(),
    freeze: options.freeze as CoordinatorGround["freeze"],
    quorum: options.quorum as QuorumControl,
    backup: options.backup as CoordinatorGround["backup"],
    eventually: (what, check) => eventually(what, check, patienceMs),
    follow: (client, of) => follow(client, of, patienceMs),
    agree: (followed, client) => agree(followed, client, patienceMs),
  };
  try {
    await one.run(ground);
  } finally {
    if (proxies !== undefined) proxies.state = "pass";
    await Promise.all(clients.map((client) => client.close()));
    await Promise.all(processes.map((process) => process.close()));
    await proxies?.close();
  }
}

/** Waits longer for an answer where a case does not say: many run beside each other. */
function patient(client: Coordinator, timeoutMs: number): Coordinator {
  return {
    ...client,
    get capabilities() {
      return client.capabilities;
    },
    openSession: (options) => client.openSession({ timeoutMs, ...options }),
    get: (key, options) => client.get(key, { timeoutMs, ...options }),
    list: (prefix, options) => client.list(prefix, { timeoutMs, ...options }),
    transact: (transaction, options) => client.transact(transaction, { timeoutMs, ...options }),
    createOrdered: (entry, options) => client.createOrdered(entry, { timeoutMs, ...options }),
  };
}

function words(needs: readonly CoordinatorNeed[]): string {
  const meaning: Readonly<Record<CoordinatorNeed, string>> = {
    addresses: "a server that is reached over TCP",
    restart: "a server that can be restarted",
    compact: "a server that keeps history",
    freeze: "a server in a process of its own",
    quorum: "several servers",
    backup: "a server whose data can be put back",
    clientProcess: "clients in other processes",
    fakeClock: "libfaketime",
  };
  return `needs ${needs.map((need) => meaning[need]).join(" and ")}`;
}
