import { readFileSync } from "node:fs";
import { join } from "node:path";

import {
  bringUpShard,
  type PostgresEngine,
  type PostgresServer,
  type PostgresShard,
  postgresCredentials,
  postgresEngine,
  type ShardConnection,
  type ShardStep,
  serverDefaults,
  shardServers,
  shardSteps,
  storeConnections,
  urlConnections,
} from "../engines/postgres/index.ts";
import type { Topology } from "../replication/topology.ts";
import { errorText, TenfoldError } from "../runtime/errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { StorePlan } from "./fleet-plan.ts";
import {
  createManagedProcess,
  type ManagedProcess,
  type ProcessChange,
} from "./managed-process.ts";
import { resolveSecret } from "./secret-reference.ts";
import { sideBySide } from "./side-by-side.ts";
import { spawnChild } from "./spawn-child.ts";

export interface ManagedStoreOptions {
  readonly plan: StorePlan;
  /** The host whose servers are managed here. */
  readonly host: string;
  /** The addresses of the fleet's hosts. */
  readonly addresses: readonly string[];
  /** What every host derives the store's passwords from. */
  readonly secret: string;
  readonly logFolder: string;
  /** From where the npm packages of server and driver are looked up. */
  readonly resolveFrom: string | URL;
  readonly runtime: Runtime;
  readonly onChange: (server: string, change: ProcessChange) => void;
  readonly onStep: (title: string) => void;
}

/** A server of a store under supervision. */
export interface StoreServer {
  readonly process: ManagedProcess;
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

/** A store of the fleet: servers of our own, or somebody's by URL. */
export interface ManagedStore {
  readonly name: string;
  readonly connections: readonly ShardConnection[];
  /** By shard, over all hosts; absent for servers that somebody else runs. */
  readonly topologies: ReadonlyMap<string, Topology>;
  /** Those of this host. */
  readonly servers: readonly StoreServer[];
  /** Makes, copies and starts what is needed, shards side by side. */
  bringUp(signal: AbortSignal): Promise<void>;
  /** Primaries first: each waits until its standbys have its last writes. */
  stop(): Promise<void>;
}

/** @throws what `postgresEngine` throws when no server can run here */
export async function createManagedStore(options: ManagedStoreOptions): Promise<ManagedStore> {
  const { plan } = options;
  const { urls } = plan.definition;
  if (urls !== undefined) {
    const resolved = await Promise.all(urls.map((url) => resolveSecret(url)));
    return {
      name: plan.name,
      connections: urlConnections(plan.name, resolved),
      topologies: new Map(),
      servers: [],
      bringUp: () => Promise.resolve(),
      stop: () => Promise.resolve(),
    };
  }
  return await embeddedStore(options);
}

const copyAgainMs = 1_000;

async function embeddedStore(options: ManagedStoreOptions): Promise<ManagedStore> {
  const { plan, host, resolveFrom, runtime, secret, addresses: clients } = options;
  const { shards, hosts, dataFolder: folder } = plan;
  const runsHere = (name: string): boolean => hosts.get(name) === host;
  const isNeeded = [...hosts.values()].includes(host);
  // A host without servers of the store needs no program to run them.
  const engine = isNeeded
    ? await postgresEngine({ folder, resolveFrom, runtime, secret, clients })
    : undefined;
  const credentials = engine?.credentials ?? (await postgresCredentials(folder, secret));
  const groups = (engine === undefined ? [] : shards).map((shard) => {
    const servers = shardServers(engine as PostgresEngine, shard);
    const own = servers.filter(({ spec }) => runsHere(spec.name));
    const processes = new Map(own.map((server) => [server, superviseServer(server, options)]));
    return { servers, processes };
  });
  return {
    name: plan.name,
    connections: storeConnections(shards, credentials),
    topologies: new Map(shards.map((shard) => [shard.name, topologyOf(shard)])),
    servers: groups.flatMap(({ processes }) =>
      [...processes].map(([{ spec }, process]) => ({
        process,
        name: spec.name,
        address: spec.address,
        port: spec.port,
      })),
    ),
    async bringUp(signal) {
      await sideBySide(
        signal,
        groups.map(({ servers, processes }) => async (until) => {
          const supervised = {
            runsHere: (server: PostgresServer) => processes.has(server),
            start: (server: PostgresServer) => processes.get(server)?.start(),
            failure: (server: PostgresServer) => {
              const state = processes.get(server)?.status().state;
              if (state !== "backoff" && state !== "failed") return undefined;
              return server.failure(lastLines(logFile(options, server.spec.name)));
            },
          };
          const steps = shardSteps(engine as PostgresEngine, servers, supervised);
          const onStep = ({ title }: ShardStep): void => options.onStep(title);
          const isPrimaryHere = servers[0] !== undefined && processes.has(servers[0]);
          for (;;) {
            try {
              await bringUpShard(steps, { signal: until, onStep });
              break;
            } catch (error) {
              // A primary elsewhere may go away in the middle of a copy, and come back.
              if (isPrimaryHere || !isRetryable(error) || until.aborted) throw error;
              await runtime.clock.sleep(copyAgainMs, { signal: until });
            }
          }
          // They answer; whoever watches them may not have asked since.
          const waits = [...processes.values()].map((process) => process.whenReady(until));
          await Promise.all(waits);
        }),
      );
    },
    async stop() {
      const own = groups.flatMap(({ processes }) => [...processes]);
      const stopAll = (role: "primaries" | "standbys"): Promise<unknown> => {
        const those = own.filter(([{ spec }]) => (spec.member === 1) === (role === "primaries"));
        return Promise.all(those.map(([, process]) => process.stop()));
      };
      await stopAll("primaries");
      await stopAll("standbys");
    },
  };
}

function isRetryable(error: unknown): boolean {
  return error instanceof TenfoldError && error.retryable;
}

function topologyOf({ servers }: PostgresShard): Topology {
  const nodes = servers.map(({ name: id, address, port }) => ({ id, address, port }));
  const [primary, ...standbys] = nodes as [(typeof nodes)[0], ...typeof nodes];
  return { version: 1, epoch: 1, primary, standbys };
}

function superviseServer(server: PostgresServer, options: ManagedStoreOptions): ManagedProcess {
  const { name } = server.spec;
  return createManagedProcess({
    name,
    spawn() {
      server.clearStalePid();
      const command = server.command();
      return spawnChild({ ...command, logFile: logFile(options, name), program: false });
    },
    isReady: () => server.isReady(),
    isAlive: () => server.isAlive(),
    healthMissesMax: serverDefaults.probeMissesMax,
    stopSignal: server.stopSignal,
    stopGraceMs: serverDefaults.stopGraceMs,
    onChange: (change) => options.onChange(name, change),
    runtime: options.runtime,
  });
}

function logFile(options: ManagedStoreOptions, server: string): string {
  return join(options.logFolder, `${server}.log`);
}

const logBytesRead = 16_384;

function lastLines(file: string): string {
  try {
    return readFileSync(file, "utf8").slice(-logBytesRead);
  } catch (error) {
    return errorText(error);
  }
}
