import { setTimeout as pause } from "node:timers/promises";

import { demoPages } from "../apps/posts/src/traffic/demo-pages.ts";
import { startTraffic, trafficDefaults } from "../apps/posts/src/traffic/traffic.ts";
import { runByHand } from "./support/by-hand.ts";
import { startEtcd } from "./support/etcd.ts";
import { defineExperiment, type Lab } from "./support/experiment.ts";
import { type LabFleet, startFleet } from "./support/fleet.ts";
import { readMetrics } from "./support/metrics.ts";
import { judgeLoss, judgeTraffic, watchTraffic } from "./support/traffic-watch.ts";

const perSecond = 60;
const awaySeconds = { small: 30, full: 300 };
const settleMs = 10_000;
/**
 * Killed while the coordinator is away: what replaces them has the maps from disk alone. Not guid:
 * its worker number has to be claimed.
 */
const restarted = ["queue-posts", "gateway", "posts-2", "worker-1", "scrap-1"];
/** A copy that nobody starts again: it stays listed for the whole outage. */
const deadCopy = { service: "guid", name: "guid-by-hand" };
const avoidedAfterMs = 1_000;

export const experiment = defineExperiment({
  id: "R9",
  title: "All coordinator nodes stopped under traffic",
  claim:
    "While all three etcd nodes are stopped, no request fails, processes that are killed start " +
    "again from the maps on disk, and a dead instance that is still listed is avoided within a " +
    "second.",
  expectedMinutes: 2,
  async run(lab) {
    const etcd = await startEtcd(lab);
    const fleet = await startFleet({ coordinator: etcd.endpoints, say: lab.say });
    lab.atEnd(() => fleet.close());
    const pages = (await fleet.status()).instances.find(({ service }) => service === "pages");
    const copy = await runByHand({ fleet, ...deadCopy });
    lab.atEnd(() => copy[Symbol.asyncDispose]());
    const urls = demoPages(`http://${pages?.address}:${pages?.port}`);
    const { gateway } = fleet;
    const traffic = startTraffic({ ...trafficDefaults, gateway, perSecond, urls });
    const watch = watchTraffic(traffic);
    lab.atEnd(() => watch.stop());
    await pause(10_000, undefined, { signal: lab.signal });

    const seconds = lab.full ? awaySeconds.full : awaySeconds.small;
    lab.say(`  all three etcd nodes stopped for ${seconds} s`);
    const began = performance.now();
    await Promise.all(etcd.members.map((member) => member.kill()));
    watch.mark("etcd stopped");
    await copy.end("SIGKILL");
    await pause(avoidedAfterMs);
    const before = await picksOf(fleet);
    await killInTurn(lab, fleet, watch.mark);
    const left = seconds * 1_000 - (performance.now() - began);
    await pause(Math.max(0, left), undefined, { signal: lab.signal });
    judgePicks(lab, before, await picksOf(fleet));
    await Promise.all(etcd.members.map((member) => member.restart()));
    watch.mark("etcd back");
    await pause(10_000, undefined, { signal: lab.signal });
    await traffic.stop();
    watch.stop();
    judgeTraffic(lab, traffic);
    await pause(settleMs, undefined, { signal: lab.signal });
    await judgeLoss(lab, traffic, fleet.dataFolder);
    watch.draw(lab, "Answered requests while every coordinator node is stopped");
  },
});

async function killInTurn(lab: Lab, fleet: LabFleet, mark: (label: string) => void): Promise<void> {
  let ready = 0;
  for (const name of restarted) {
    const { pid } = await fleet.kill(name);
    mark(name);
    const backMs = await fleet.waitReady(name, pid === undefined ? {} : { afterPid: pid });
    ready += 1;
    lab.say(`  killed ${name}; ready again, from disk, after ${Math.round(backMs)} ms`);
  }
  lab.figure({
    name: "processes started again while no coordinator ran",
    value: ready,
    unit: "",
    goal: { equals: restarted.length },
  });
}

/** Of all attempts to call the service, those that chose the dead copy, over the living callers. */
interface Picks {
  readonly dead: number;
  readonly all: number;
}

/** By caller and its process: one that was started again counts anew. */
async function picksOf(fleet: LabFleet): Promise<ReadonlyMap<string, Picks>> {
  const { instances } = await fleet.status();
  const callers = instances.filter(
    ({ service, kind }) => service === "posts" && kind === "service",
  );
  const counted = callers.map(async ({ name, pid, adminPort = 0 }) => {
    const metrics = await readMetrics(adminPort, fleet.token);
    const picks = metrics.get("tenfold_discovery_picks_total") ?? [];
    const own = picks.filter(({ labels }) => labels.service === deadCopy.service);
    const sum = (list: typeof own) => list.reduce((total, { value }) => total + value, 0);
    const dead = own.filter(({ labels }) => labels.endpoint === deadCopy.name);
    return [`${name} ${pid}`, { dead: sum(dead), all: sum(own) }] as const;
  });
  return new Map(await Promise.all(counted));
}

function judgePicks(
  lab: Lab,
  before: ReadonlyMap<string, Picks>,
  after: ReadonlyMap<string, Picks>,
): void {
  // What a process learnt before it was killed, the next one learns by its own first calls.
  const kept = [...after].flatMap(([caller, { dead, all }]) => {
    const then = before.get(caller);
    return then === undefined ? [] : [{ dead: dead - then.dead, all: all - then.all }];
  });
  const dead = kept.reduce((sum, each) => sum + each.dead, 0);
  const all = kept.reduce((sum, each) => sum + each.all, 0);
  lab.figure({
    name: "calls after the dead copy's first second",
    value: all,
    unit: "",
    goal: { atLeast: 10 },
  });
  lab.figure({
    name: "share of them that tried it (its fair share is a third)",
    value: dead / Math.max(all, 1),
    unit: "",
    goal: { atMost: 0.1 },
  });
}
