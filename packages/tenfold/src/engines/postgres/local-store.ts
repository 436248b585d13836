import type { Runtime } from "../../runtime/runtime.ts";
import {
  bringUpShard,
  type ServerHost,
  type ShardStep,
  shardServers,
  shardSteps,
} from "./bring-up.ts";
import { type PostgresEngine, postgresEngine } from "./engine.ts";
import { freePortRange } from "./free-port-range.ts";
import type { PostgresServer } from "./server.ts";
import { postgresShardPlan } from "./shard-plan.ts";
import { type StartedServer, startServer } from "./start-server.ts";
import { type ShardConnection, storeConnections } from "./store-connections.ts";

export interface LocalStoreOptions {
  readonly store: string;
  readonly shards: number;
  readonly standbys: number;
  readonly folder: string;
  readonly resolveFrom: string | URL;
  /** Default: a free range. */
  readonly portsFrom?: number;
  readonly onStep?: (step: ShardStep) => void;
  readonly runtime?: Partial<Runtime>;
}

/** A store whose servers are children of this process, and stay ended when they end. */
export interface LocalStore extends AsyncDisposable {
  readonly engine: PostgresEngine;
  /** By shard, the primary as first made at the head. */
  readonly shards: readonly (readonly PostgresServer[])[];
  readonly connections: readonly ShardConnection[];
  /** The server's process, the last one if it ended. */
  process(server: PostgresServer): StartedServer;
  /** Starts one again after it ended, and waits for it. */
  restart(server: PostgresServer): Promise<void>;
  /** Stops all, standbys last. Idempotent. */
  close(): Promise<void>;
}

const address = "127.0.0.1";
const portsPerShard = 10;

/** Brings a whole store up on this machine, for tests, trials and programs without a supervisor. */
export async function createLocalStore(options: LocalStoreOptions): Promise<LocalStore> {
  const { store, shards: count, standbys, folder } = options;
  const engine = await postgresEngine(options);
  const portsFrom = options.portsFrom ?? (await freePortRange(address, count * portsPerShard));
  const plan = postgresShardPlan({
    store,
    shards: count,
    standbys,
    place: () => ({ address, portsFrom }),
    folder,
  });
  const shards = plan.map((shard) => shardServers(engine, shard));
  const started = new Map<string, StartedServer>();
  const host: ServerHost = {
    start: (server) => void started.set(server.spec.name, startServer(server)),
    failure: (server) => started.get(server.spec.name)?.failure(),
  };
  const close = async (): Promise<void> => {
    for (const [primary, ...others] of shards) {
      await closeAll(started, primary === undefined ? [] : [primary]);
      await closeAll(started, others);
    }
  };
  try {
    const { onStep } = options;
    const steps = shards.map((servers) => shardSteps(engine, servers, host));
    await Promise.all(steps.map((each) => bringUpShard(each, onStep ? { onStep } : {})));
  } catch (error) {
    await close();
    throw error;
  }
  const processOf = (server: PostgresServer): StartedServer => {
    const running = started.get(server.spec.name);
    if (running === undefined) throw new RangeError(`${server.spec.name} is not of this store`);
    return running;
  };
  return {
    engine,
    shards,
    connections: storeConnections(plan, engine.credentials),
    process: processOf,
    async restart(server) {
      await server.prepare();
      await host.start(server);
      await server.waitReady({ failure: () => processOf(server).failure() });
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function closeAll(
  started: ReadonlyMap<string, StartedServer>,
  servers: readonly PostgresServer[],
): Promise<void> {
  await Promise.all(servers.map(({ spec }) => started.get(spec.name)?.close()));
}
