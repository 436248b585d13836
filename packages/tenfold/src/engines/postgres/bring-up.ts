import { TenfoldError } from "../../runtime/errors.ts";
import type { PostgresEngine } from "./engine.ts";
import { createRoles, hasRoles, reserveSlot } from "./roles.ts";
import { type PostgresServer, postgresServer } from "./server.ts";
import { fileFailure } from "./server-failure.ts";
import type { PostgresShard } from "./shard-plan.ts";

/** A connection breaks some time before the server's process is seen to have ended. */
const endingMs = 2_000;
const endingPollMs = 50;
/** How often a primary elsewhere is asked whether it is there. */
const elsewherePollMs = 500;

/** What the supervisor does for a shard's servers. */
export interface ServerHost {
  /** Spawns `server.command()` and keeps it running from now on. */
  start(server: PostgresServer): Promise<void> | void;
  /** Why the server ended, if it did: ends the wait for it. */
  failure?(server: PostgresServer): TenfoldError | undefined;
  /** Is it to run here? Default yes; what runs elsewhere is waited for where it is needed. */
  runsHere?(server: PostgresServer): boolean;
}

/** One step of bringing a shard up: to be run in order, each once the one before is done. */
export interface ShardStep {
  readonly server: string;
  readonly action: "initialise" | "seed" | "start" | "wait" | "roles" | "elsewhere";
  /** For people: "pg-posts-0-2: copied from pg-posts-0-1". */
  readonly title: string;
  /** kept: it was done at an earlier start, and there was nothing to do. */
  run(signal?: AbortSignal): Promise<"done" | "kept">;
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
  const [primary] = servers;
  if (primary === undefined) return [];
  const here = servers.filter((server) => host.runsHere?.(server) ?? true);
  const standbys = here.filter((server) => server !== primary);
  const isHere = here.length > standbys.length;
  const start = (server: PostgresServer): ShardStep =>
    step(server, "start", "started", async (signal) => {
      await server.prepare({ signal });
      await host.start(server);
      return "done";
    });
  const wait = (server: PostgresServer, done: string): ShardStep =>
    step(server, "wait", done, async (signal) => {
      // A primary elsewhere comes and goes as its own host does.
      const timeoutMs = isHere ? undefined : Number.POSITIVE_INFINITY;
      await server.waitReady({ signal, timeoutMs, failure: () => host.failure?.(server) });
      return "done";
    });
  const primarySteps = [
    step(primary, "initialise", "database made", async (signal) => {
      if (await primary.hasData()) return "kept";
      await refuseOrphans(primary, standbys);
      await primary.initialise({ signal });
      return "done";
    }),
    start(primary),
    wait(primary, "answers"),
    step(primary, "roles", "roles and database are there", async () => {
      await createRoles(engine, primary);
      return "done";
    }),
  ];
  const steps = [
    ...(isHere ? primarySteps : []),
    ...standbys.flatMap((standby) => [
      ...(isHere ? [] : [elsewhereStep(engine, primary)]),
      seedStep(engine, primary, standby, here),
      start(standby),
      wait(standby, "follows"),
    ]),
  ];
  const failure = (): TenfoldError | undefined =>
    here.map((server) => host.failure?.(server)).find((ended) => ended !== undefined);
  return steps.map((each) => explained(each, engine, failure));
}

/**
 * Runs the steps of a shard and tells of those that had something to do.
 * @throws what a step throws; the rest is then not run
 */
export async function bringUpShard(
  steps: readonly ShardStep[],
  options: {
    readonly signal?: AbortSignal | undefined;
    readonly onStep?: (step: ShardStep) => void;
  } = {},
): Promise<void> {
  for (const each of steps) {
    options.signal?.throwIfAborted();
    if ((await each.run(options.signal)) === "done") options.onStep?.(each);
  }
}

/** Waits for a primary on another host, which may start later than this one. */
function elsewhereStep(engine: PostgresEngine, primary: PostgresServer): ShardStep {
  const { clock } = engine.runtime;
  const isThere = (): Promise<boolean> => hasRoles(engine, primary).catch(notWhenAway);
  return step(primary, "elsewhere", "answers on its host", async (signal) => {
    if (await isThere()) return "kept";
    do await clock.sleep(elsewherePollMs, { signal });
    while (!(await isThere()));
    return "done";
  });
}

function notWhenAway(error: unknown): false {
  if (error instanceof TenfoldError && error.retryable) return false;
  throw error;
}

/** @param near the servers to copy from if the planned source is among them, else the primary */
function seedStep(
  engine: PostgresEngine,
  primary: PostgresServer,
  standby: PostgresServer,
  near: readonly PostgresServer[],
): ShardStep {
  const { spec } = standby;
  const source = near.find((server) => server.spec.name === spec.seededFrom) ?? primary;
  return step(standby, "seed", `copied from ${source.spec.name}`, async (signal) => {
    const seeded = await standby.hasData();
    const kept = await reserveSlot(engine, primary, spec.name);
    if (seeded && kept) return "kept";
    if (seeded) await standby.wipe();
    await standby.seed(source.spec, { signal });
    return "done";
  });
}

/** A new primary beside old standbys would be an empty shard that looks well. */
async function refuseOrphans(
  primary: PostgresServer,
  standbys: readonly PostgresServer[],
): Promise<void> {
  for (const standby of standbys) {
    if (!(await standby.hasData())) continue;
    throw new TenfoldError(
      "TENFOLD_POSTGRES_PRIMARY_MISSING",
      `${primary.spec.name} has no data, but its standby ${standby.spec.name} has: put the ` +
        `folder ${primary.spec.folder} back, or start anew without the standbys' folders.`,
    );
  }
}

function step(
  server: PostgresServer,
  action: ShardStep["action"],
  done: string,
  run: ShardStep["run"],
): ShardStep {
  const { name } = server.spec;
  return { server: name, action, title: `${name}: ${done}`, run };
}

/** The same step, whose error says why a server ended where that is what made it fail. */
function explained(
  each: ShardStep,
  engine: PostgresEngine,
  failure: () => TenfoldError | undefined,
): ShardStep {
  const { clock } = engine.runtime;
  const run: ShardStep["run"] = async (signal) => {
    try {
      return await each.run(signal);
    } catch (cause) {
      const error = fileFailure(each.server, cause);
      const until = clock.now() + (error.retryable ? endingMs : 0);
      while (failure() === undefined && clock.now() < until) await clock.sleep(endingPollMs);
      throw failure() ?? error;
    }
  };
  return { ...each, run };
}
