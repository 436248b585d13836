import type { TenfoldError } from "../../runtime/errors.ts";
import type { PostgresEngine } from "./engine.ts";
import { createRoles, reserveSlot } from "./roles.ts";
import { type PostgresServer, postgresServer } from "./server.ts";
import type { PostgresShard } from "./shard-plan.ts";

/** What the supervisor does for a shard's servers. */
export interface ServerHost {
  /** Spawns `server.command()` and keeps it running from now on. */
  start(server: PostgresServer): Promise<void> | void;
  /** Why the server ended, if it did: ends the wait for it. */
  failure?(server: PostgresServer): TenfoldError | undefined;
}

/** One step of bringing a shard up: to be run in order, each once the one before is done. */
export interface ShardStep {
  readonly server: string;
  readonly action: "initialise" | "seed" | "start" | "wait" | "roles";
  /** For people: "pg-posts-0-2: copied from pg-posts-0-1". */
  readonly title: string;
  run(signal?: AbortSignal): Promise<void>;
}

/** The servers of a shard, the primary as first made at the head. */
export function shardServers(
  engine: PostgresEngine,
  shard: PostgresShard,
): readonly PostgresServer[] {
  return shard.servers.map((spec) =>
    postgresServer(
      engine,
      spec,
      shard.servers.find(({ name }) => name === spec.follows),
    ),
  );
}

/**
 * The steps that bring a shard up, the same for the first start and for every later one: what a
 * step finds done it leaves alone. Shards are independent of each other and may run side by side.
 */
export function shardSteps(
  engine: PostgresEngine,
  servers: readonly PostgresServer[],
  host: ServerHost,
): readonly ShardStep[] {
  const [primary, ...standbys] = servers;
  if (primary === undefined) return [];
  const start = (server: PostgresServer): ShardStep =>
    step(server, "start", "started", async (signal) => {
      await server.prepare({ signal });
      await host.start(server);
    });
  const wait = (server: PostgresServer, done: string): ShardStep =>
    step(server, "wait", done, async (signal) => {
      await server.waitReady({ signal, failure: () => host.failure?.(server) });
    });
  return [
    step(primary, "initialise", "database made", async () => {
      if (!(await primary.hasData())) await primary.initialise();
    }),
    start(primary),
    wait(primary, "answers"),
    step(primary, "roles", "roles and database made", () => createRoles(engine, primary)),
    ...standbys.flatMap((standby) => [
      seedStep(engine, primary, standby, servers),
      start(standby),
      wait(standby, "follows"),
    ]),
  ];
}

/** Runs the steps of a shard. @throws what a step throws; the rest is then not run */
export async function bringUpShard(
  steps: readonly ShardStep[],
  options: {
    readonly signal?: AbortSignal | undefined;
    readonly onStep?: (step: ShardStep) => void;
  } = {},
): Promise<void> {
  for (const each of steps) {
    options.signal?.throwIfAborted();
    await each.run(options.signal);
    options.onStep?.(each);
  }
}

function seedStep(
  engine: PostgresEngine,
  primary: PostgresServer,
  standby: PostgresServer,
  servers: readonly PostgresServer[],
): ShardStep {
  const { spec } = standby;
  const source = servers.find((server) => server.spec.name === spec.seededFrom) ?? primary;
  return step(standby, "seed", `copied from ${source.spec.name}`, async () => {
    const seeded = await standby.hasData();
    const kept = await reserveSlot(engine, primary, spec.name);
    if (seeded && kept) return;
    if (seeded) await standby.wipe();
    await standby.seed(source.spec);
  });
}

function step(
  server: PostgresServer,
  action: ShardStep["action"],
  done: string,
  run: ShardStep["run"],
): ShardStep {
  return { server: server.spec.name, action, title: `${server.spec.name}: ${done}`, run };
}
