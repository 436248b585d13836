import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Coordinator, fleetKeys } from "tenfold/coordination";
import { coordinatorResolver } from "tenfold/discovery";
import { createCoordinatorNode } from "tenfold/engines/coordinator-node";
import { connectEtcd } from "tenfold/engines/etcd";
import { startEtcdCluster } from "tenfold/testing";

import { fetchEngines, findEngine } from "../tools/engines/index.ts";
import { callLoop } from "./support/discovery/call-loop.ts";
import { startRegistered } from "./support/discovery/start-registered.ts";
import { defineExperiment, type Lab } from "./support/experiment.ts";
import { until } from "./support/fleet.ts";

const service = "echo";
const ttlMs = 3_000;
const kills = 5;
const fullKills = 40;
/** They stay, so that callers have somebody. */
const stayers = ["stays-1", "stays-2"];
/** A server looks for expired sessions now and then: etcd every half second. */
const sweepMs = 1_000;

interface Site {
  readonly name: string;
  readonly endpoints: string;
  readonly token?: string;
}

export const experiment = defineExperiment({
  id: "R6",
  title: "A registration ends with its process",
  claim:
    "A process that is killed without a word is out of the members map within its session's time " +
    "to live, on the embedded coordinator and on etcd, and its callers do not fail meanwhile.",
  expectedMinutes: 2,
  async run(lab) {
    for (const site of [await embedded(lab), await etcd(lab)]) await killOn(lab, site);
  },
});

async function embedded(lab: Lab): Promise<Site> {
  const dataFolder = mkdtempSync(join(tmpdir(), "tenfold-r06-"));
  const token = "of-the-experiment";
  const listen = { host: "127.0.0.1", port: 0 };
  const node = await createCoordinatorNode({ listen, dataFolder, token });
  lab.atEnd(async () => {
    await node.close();
    rmSync(dataFolder, { recursive: true });
  });
  return { name: "embedded", endpoints: `etcd://127.0.0.1:${node.address.port}`, token };
}

async function etcd(lab: Lab): Promise<Site> {
  await fetchEngines(["etcd"], lab.say);
  const engine = findEngine("etcd");
  if (engine === undefined) throw new Error("etcd is not here and cannot be fetched");
  const cluster = await startEtcdCluster({ program: engine.program });
  lab.atEnd(() => cluster.close());
  return { name: "etcd, 3 nodes", endpoints: cluster.endpoints };
}

async function killOn(lab: Lab, { name, endpoints, token }: Site): Promise<void> {
  const access = { endpoints, ...(token !== undefined && { token }) };
  const coordinator = connectEtcd(access);
  const resolver = coordinatorResolver(coordinator, { fleet: "lab" });
  const goneAt = watchGone(coordinator, lab.signal);
  const start = (own: string) => startRegistered({ ...access, service, name: own, ttlMs });
  const staying = await Promise.all(stayers.map(start));
  const loop = callLoop(service, resolver, 5);
  const lasted: number[] = [];
  try {
    for (let round = 0; round < (lab.full ? fullKills : kills); round++) {
      const victim = await start(`victim-${round}`);
      await until("the victim to be called", 10_000, () =>
        loop.answers.some(({ from }) => from === victim.name),
      );
      // At any moment between two renewals of its session.
      await pause(Math.random() * ttlMs, undefined, { signal: lab.signal });
      const killedAt = performance.now();
      await victim.kill();
      const isGone = () => goneAt.has(victim.name);
      await until(`${victim.name} to be gone`, ttlMs * 4, isGone);
      lasted.push((goneAt.get(victim.name) as number) - killedAt);
    }
  } finally {
    await loop.stop();
    for (const each of staying) await each.kill();
    resolver.close();
    await coordinator.close();
  }
  report(lab, name, { lasted, answered: loop.answers.length, failed: loop.failed });
}

/** When each instance went out of the map, by name. */
function watchGone(coordinator: Coordinator, signal: AbortSignal): ReadonlyMap<string, number> {
  const prefix = fleetKeys("lab").members(service);
  const gone = new Map<string, number>();
  void (async () => {
    for await (const { changes } of coordinator.watch(prefix, { signal })) {
      for (const change of changes) {
        if (change.kind === "delete") gone.set(change.key.slice(prefix.length), performance.now());
      }
    }
  })();
  return gone;
}

interface Outcome {
  readonly lasted: readonly number[];
  readonly answered: number;
  readonly failed: number;
}

function report(lab: Lab, site: string, { lasted, answered, failed }: Outcome): void {
  const figure = (name: string, value: number, unit = "") =>
    lab.figure({ name: `${site}: ${name}`, value, unit });
  figure("processes killed", lasted.length);
  figure("median time until gone", median(lasted), "ms");
  lab.figure({
    name: `${site}: out while they still lived`,
    value: lasted.filter((ms) => ms < 0).length,
    unit: "",
    goal: { equals: 0 },
  });
  lab.figure({
    name: `${site}: longest time until gone, of a session of ${ttlMs} ms`,
    value: Math.max(...lasted),
    unit: "ms",
    goal: { atMost: ttlMs + sweepMs },
  });
  figure("calls answered", answered);
  lab.figure({ name: `${site}: calls failed`, value: failed, unit: "", goal: { equals: 0 } });
  lab.plot({
    kind: "bar",
    name: site.startsWith("etcd") ? "etcd" : "embedded",
    title: `From SIGKILL until out of the map, ${site}`,
    y: { label: "ms" },
    bars: lasted.map((value, at) => ({ name: String(at + 1), value })),
    goal: ttlMs + sweepMs,
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
