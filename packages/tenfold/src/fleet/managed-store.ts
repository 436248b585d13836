import { readFileSync } from "node:fs";
import { join } from "node:path";

import {
  bringUpShard,
  type PostgresServer,
  postgresEngine,
  postgresShardPlan,
  type ShardConnection,
  serverDefaults,
  shardServers,
  shardSteps,
  storeConnections,
  urlConnections,
} from "../engines/postgres/index.ts";
import type { Topology } from "../replication/topology.ts";
import { errorText } from "../runtime/errors.ts";
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
  readonly address: string;
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
  /** By shard; absent for servers that somebody else runs. */
  readonly topologies: ReadonlyMap<string, Topology>;
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

async function embeddedStore(options: ManagedStoreOptions): Promise<ManagedStore> {
  const { plan, address, resolveFrom, runtime } = options;
  const { shards: count, standbys } = plan.definition;
  const folder = plan.dataFolder;
  const engine = await postgresEngine({ folder, resolveFrom, runtime });
  const shards = postgresShardPlan({
    store: plan.name,
    shards: count,
    standbys,
    address,
    portsFrom: plan.portsFrom,
    folder,
  });
  const groups = shards.map((shard) => {
    const servers = shardServers(engine, shard);
    return { shard, servers, processes: servers.map((server) => superviseServer(server, options)) };
  });
  return {
    name: plan.name,
    connections: storeConnections(shards, engine.credentials),
    topologies: new Map(
      groups.map(({ shard, servers }) => {
        const nodes = servers.map(({ spec }) => ({
          id: spec.name,
          address: spec.address,
          port: spec.port,
        }));
        const [primary, ...others] = nodes as [(typeof nodes)[0], ...typeof nodes];
        return [shard.name, { version: 1, epoch: 1, primary, standbys: others }];
      }),
    ),
    servers: groups.flatMap(({ servers, processes }) =>
      servers.map(({ spec }, index) => ({
        process: processes[index] as ManagedProcess,
        name: spec.name,
        address: spec.address,
        port: spec.port,
      })),
    ),
    async bringUp(signal) {
      await sideBySide(
        signal,
        groups.map(({ servers, processes }) => async (until) => {
          const host = {
            start: (server: PostgresServer) => processes[servers.indexOf(server)]?.start(),
            failure: (server: PostgresServer) => {
              const state = processes[servers.indexOf(server)]?.status().state;
              if (state !== "backoff" && state !== "failed") return undefined;
              return server.failure(lastLines(logFile(options, server.spec.name)));
            },
          };
          const steps = shardSteps(engine, servers, host);
          await bringUpShard(steps, {
            signal: until,
            onStep: (step) => options.onStep(step.title),
          });
          // They answer; whoever watches them may not have asked since.
          await Promise.all(processes.map((process) => process.whenReady(until)));
        }),
      );
    },
    async stop() {
      const all = (from: number, to?: number): Promise<unknown> =>
        Promise.all(
          groups.flatMap(({ processes }) => processes.slice(from, to).map((p) => p.stop())),
        );
      await all(0, 1);
      await all(1);
    },
  };
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
