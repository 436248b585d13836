import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLocalStore } from "tenfold/engines/postgres";
import type { SocketAddress } from "tenfold/runtime";
import { startRedisServer } from "tenfold/testing";

import { fetchEngines, findEngine, whyMissing } from "../tools/engines/index.ts";
import { watchBeliefs } from "./support/coordination/beliefs.ts";
import { type LabEngine, labEngines } from "./support/coordination/engines.ts";
import { makeEffectsTable, type ResourcePlace } from "./support/coordination/guarded-resource.ts";
import { startLockHolders } from "./support/coordination/lock-holders.ts";
import { defineExperiment, type Lab } from "./support/experiment.ts";

const faults = { small: 48, full: 1_000 };
/** Of three servers the faults are the same: the link to all of them is cut at once. */
const faultsOfThree = { small: 16, full: 250 };
const holders = 16;
/** Of all effects, over both coordinators: a transaction of a database is not had as fast. */
const effects = {
  small: { "coordinator key": 10_000, "SQL row": 10_000, "Redis function": 30_000 },
  full: { "coordinator key": 200_000, "SQL row": 200_000, "Redis function": 600_000 },
} as const;
const holding = { ttlMs: 1_000, burst: 20, holdMs: 400 };
const holdersOfOne = 3;
/** Of the effects, after so many the holder is stopped. */
const pauseShare = { small: 1 / 20, full: 1 / 100 };
/** Effects of late holders that each guard must have refused. */
const refusedAtLeast = { small: 20, full: 200 };

/**
 * Holders of sessions in processes of their own, each behind its own link: stopped, blocked, cut
 * off. What they claim is compared with when the server ended their session. Then holders of locks
 * that are stopped between their look at the session and their effects, on real resources.
 */
export const experiment = defineExperiment({
  id: "R11",
  title: "holders that are stopped, blocked and cut off",
  claim:
    "No holder believes in a session that the server has ended, on the embedded coordinator, on " +
    "one etcd and on three; and none of the three guards (a coordinator's key, a row of " +
    "PostgreSQL, a function of Redis) takes an effect of a late holder; without them some get " +
    "through.",
  expectedMinutes: 3,
  async run(lab) {
    const servers: [LabEngine, readonly SocketAddress[]][] = [];
    for (const engine of labEngines) servers.push([engine, await engine.start(lab)]);
    const worst: { name: string; value: number }[] = [];
    for (const [engine, addresses] of servers) {
      worst.push(...(await believe(lab, engine, addresses)));
    }
    lab.plot({
      kind: "bar",
      name: "belief",
      title: "How long before the server's end a holder last believed in its session, at worst",
      y: { label: "ms" },
      bars: worst,
    });
    const resources = await startResources(lab);
    for (const [engine, addresses] of servers.slice(0, 2)) {
      await act(lab, engine, addresses, resources);
    }
  },
});

async function believe(
  lab: Lab,
  engine: LabEngine,
  addresses: readonly SocketAddress[],
): Promise<{ name: string; value: number }[]> {
  const wanted = (engine.name.includes("3") ? faultsOfThree : faults)[lab.full ? "full" : "small"];
  const { signal } = lab;
  const found = await watchBeliefs({ addresses, faults: wanted, holders, signal });
  const figure = (name: string, value: number, goal: { equals: number } | { atLeast: number }) =>
    lab.figure({ name: `${engine.name}: ${name}`, value, unit: "", goal });
  figure("faults", found.faults, { atLeast: wanted });
  figure("holders that believed too long", found.tooLong, { equals: 0 });
  for (const [kind, value] of found.latestMs) {
    // Below zero: it knew that long before the server acted.
    const name = `${engine.name}: latest belief after the end, ${kind}`;
    lab.figure({ name, value, unit: "ms" });
  }
  const least = -Math.max(...found.latestMs.values());
  return [{ name: engine.name, value: least }];
}

type Resource = Omit<ResourcePlace, "prefix">;

/** A PostgreSQL and a Redis, and the coordinator itself. */
async function startResources(lab: Lab): Promise<readonly Resource[]> {
  await fetchEngines(["redis"], lab.say);
  const redis = findEngine("redis");
  if (redis === undefined) throw new Error(whyMissing("redis"));
  const server = await startRedisServer(redis.program);
  lab.atEnd(() => server.close());
  (await server.connect()).close();
  const folder = await mkdtemp(join(tmpdir(), "tenfold-r11-"));
  lab.atEnd(() => rm(folder, { recursive: true, force: true }));
  const places = { folder, resolveFrom: import.meta.url };
  const store = await createLocalStore({ store: "effects", shards: 1, standbys: 0, ...places });
  lab.atEnd(() => store.close());
  const url = store.connections[0]?.primary as string;
  await makeEffectsTable(url);
  return [
    { guard: "coordinator key" },
    { guard: "SQL row", at: url },
    { guard: "Redis function", at: server.socketPath },
  ];
}

/** All resources at once, each with holders of its own. */
async function act(
  lab: Lab,
  engine: LabEngine,
  addresses: readonly SocketAddress[],
  resources: readonly Resource[],
): Promise<void> {
  await Promise.all(
    resources.map(async (resource) => {
      const name = `${engine.name} ${resource.guard}`.replaceAll(/\W+/g, "-");
      const place = { ...resource, prefix: `/lab/r11/acts/${name}/` };
      await actOn(lab, `${engine.name}, ${resource.guard}`, addresses, place);
    }),
  );
}

async function actOn(
  lab: Lab,
  name: string,
  addresses: readonly SocketAddress[],
  resource: ResourcePlace,
): Promise<void> {
  const size = lab.full ? "full" : "small";
  const [wanted, refused] = [effects[size][resource.guard] / 2, refusedAtLeast[size]];
  const run = startLockHolders(holdersOfOne, { addresses, resource, ...holding });
  lab.atEnd(() => run.close());
  let pauses = 0;
  let stopAt = 0;
  // A guard that refuses nobody has had its chance as well.
  const isEnough = (): boolean =>
    run.taken >= wanted && (run.refused >= refused || run.taken >= 3 * wanted);
  while (!isEnough() && !lab.signal.aborted) {
    await pause(10);
    const victim = run.current;
    if (victim === undefined || run.taken < stopAt) continue;
    stopAt = run.taken + wanted * pauseShare[size];
    victim.kill("SIGSTOP");
    pauses++;
    // Until another one has acted, or the victim was not the holder any more.
    const before = run.holders;
    const deadline = performance.now() + 10_000;
    while (run.holders === before && performance.now() < deadline) await pause(5);
    victim.kill("SIGCONT");
  }
  const { guarded, bare } = await run.finish();
  await run.close();
  const figure = (what: string, value: number, goal?: { equals: number } | { atLeast: number }) =>
    lab.figure({ name: `${name}: ${what}`, value, unit: "", ...(goal && { goal }) });
  figure("effects taken", guarded.taken, { atLeast: wanted });
  figure("holders, one after the other", run.holders);
  figure("pauses of a holder", pauses);
  figure("effects of late holders refused", run.refused, { atLeast: refused });
  figure("stale effects taken", guarded.stale, { equals: 0 });
  figure(`stale of ${bare.taken} taken without a guard`, bare.stale, { atLeast: 1 });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
