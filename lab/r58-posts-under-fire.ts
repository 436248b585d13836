import { setTimeout as pause } from "node:timers/promises";
import type { EtcdCluster } from "tenfold/testing";
import { demoPages } from "../apps/posts/src/traffic/demo-pages.ts";
import {
  startTraffic,
  type Traffic,
  type TrafficReport,
  trafficDefaults,
} from "../apps/posts/src/traffic/traffic.ts";
import { missingFromShards } from "./support/acknowledged.ts";
import { startEtcd } from "./support/etcd.ts";
import { defineExperiment, type Lab } from "./support/experiment.ts";
import { type LabFleet, startFleet } from "./support/fleet.ts";

const perSecond = 200;
const seconds = 60;
const settleMs = 10_000;
/** How long an etcd node stays away: the others elect and go on. */
const nodeAwayMs = 4_000;
/** One of every kind of process but the databases and the supervisor, spread over the minute. */
const victims = [
  "posts-2",
  "queue-posts",
  "worker-1",
  "guid-1",
  "coordinator",
  "scrap-1",
  "gateway",
  "geoip-1",
  "pages-1",
  "registry",
  "console",
];

export const experiment = defineExperiment({
  id: "R58",
  title: "The posts fleet under load while its processes are killed",
  claim:
    "While one of every kind of process is killed in turn, no request fails, every acknowledged " +
    "post is stored and read back by its author at once, and no page is wrong.",
  expectedMinutes: 3,
  async run(lab) {
    const etcd = lab.coordinator === "etcd" ? await startEtcd(lab) : undefined;
    const coordinator = etcd && { coordinator: etcd.endpoints };
    const fleet = await startFleet({ ...coordinator, say: lab.say });
    lab.atEnd(() => fleet.close());
    await killInTurn(lab, fleet, etcd);
    await killSupervisor(lab, fleet, coordinator);
  },
});

async function killInTurn(lab: Lab, fleet: LabFleet, etcd: EtcdCluster | undefined): Promise<void> {
  lab.say(`${perSecond} requests/s for ${seconds} s while processes are killed`);
  const traffic = await trafficOn(fleet, perSecond);
  const began = performance.now();
  const marks: { x: number; label: string }[] = [];
  const points: { at: number; answered: number; failed: number; p99: number }[] = [];
  const sampler = setInterval(() => {
    const { answered, failed } = traffic.report();
    const at = (performance.now() - began) / 1_000;
    points.push({ at, answered, failed, p99: percentile(traffic.takeLatencies(), 0.99) });
  }, 1_000);
  const every = (seconds * 1_000) / (victims.length + 1);
  for (const [index, victim] of victims.entries()) {
    await pause(began + (index + 1) * every - performance.now(), undefined, { signal: lab.signal });
    marks.push({ x: (performance.now() - began) / 1_000, label: victim });
    if (victim === "coordinator" && etcd !== undefined) {
      await killLeader(lab, etcd);
      continue;
    }
    const { pid } = await fleet.kill(victim);
    const backMs = await fleet.waitReady(victim, pid === undefined ? {} : { afterPid: pid });
    lab.say(`  killed ${victim}; ready again after ${Math.round(backMs)} ms`);
    if (victim === "queue-posts") {
      lab.figure({ name: "queue ready again", value: backMs, unit: "ms", goal: { atMost: 1_000 } });
    }
  }
  await pause(Math.max(0, began + seconds * 1_000 - performance.now()));
  clearInterval(sampler);
  await traffic.stop();
  report(lab, traffic.report());
  await pause(settleMs);
  const { asked, missing } = await missingFromShards(fleet.dataFolder, traffic.acknowledged());
  lab.figure({ name: "acknowledged posts", value: asked, unit: "" });
  lab.figure({
    name: `acknowledged posts missing from PostgreSQL ${settleMs / 1_000} s after the end`,
    value: missing.length,
    unit: "",
    goal: { equals: 0 },
  });
  draw(lab, points, marks);
}

async function killLeader(lab: Lab, etcd: EtcdCluster): Promise<void> {
  const leader = await etcd.leader();
  await leader.kill();
  await pause(nodeAwayMs);
  await leader.restart();
  lab.say(`  killed etcd's leader ${leader.name}; away for ${nodeAwayMs} ms`);
}

async function killSupervisor(
  lab: Lab,
  fleet: LabFleet,
  coordinator: { readonly coordinator: string } | undefined,
): Promise<void> {
  lab.say("SIGKILL to the supervisor under load, then a start on the same folder");
  const traffic = await trafficOn(fleet, perSecond);
  await pause(5_000);
  await fleet.killSupervisor();
  lab.say("  every process of the fleet is gone");
  const acknowledged = traffic.acknowledged();
  const stopped = traffic.stop();
  const again = await startFleet({
    ...coordinator,
    dataFolder: fleet.dataFolder,
    say: lab.say,
  });
  lab.atEnd(() => again.close());
  lab.figure({ name: "start on existing data", value: again.bootMs, unit: "ms" });
  await stopped;
  await pause(settleMs);
  const { asked, missing } = await missingFromShards(fleet.dataFolder, acknowledged);
  lab.figure({ name: "posts acknowledged before the supervisor's end", value: asked, unit: "" });
  lab.figure({
    name: "acknowledged posts lost with the supervisor",
    value: missing.length,
    unit: "",
    goal: { equals: 0 },
  });
}

async function trafficOn(fleet: LabFleet, rate: number): Promise<Traffic> {
  const { instances } = await fleet.status();
  const pages = instances.find(({ service }) => service === "pages");
  const urls = demoPages(`http://${pages?.address}:${pages?.port}`);
  return startTraffic({ ...trafficDefaults, gateway: fleet.gateway, perSecond: rate, urls });
}

function report(lab: Lab, counts: TrafficReport): void {
  const zero = { equals: 0 } as const;
  lab.figure({ name: "requests answered", value: counts.answered, unit: "" });
  lab.figure({
    name: "failed requests",
    value: counts.failed + counts.skipped,
    unit: "",
    goal: zero,
  });
  lab.figure({
    name: "sent again by the client, when the gateway itself was killed",
    value: counts.resent,
    unit: "",
  });
  lab.figure({
    name: "reads that missed the author's own acknowledged post",
    value: counts.missed,
    unit: "",
    goal: zero,
  });
  lab.figure({
    name: "order, duplicate and page errors",
    value: counts.disordered + counts.repeated + counts.misshapen,
    unit: "",
    goal: zero,
  });
  for (const sample of counts.samples) lab.say(`  ${sample}`);
}

function draw(
  lab: Lab,
  points: readonly { at: number; answered: number; failed: number; p99: number }[],
  marks: readonly { x: number; label: string }[],
): void {
  const rate = points.map(({ at, answered }, index) => {
    const before = points[index - 1];
    const span = at - (before?.at ?? 0);
    return [at, (answered - (before?.answered ?? 0)) / span] as const;
  });
  lab.plot({
    kind: "line",
    name: "requests",
    title: "Answered requests while processes are killed",
    x: { label: "time, s" },
    y: { label: "requests/s" },
    series: [{ name: "answered", points: rate }],
    marks,
  });
  lab.plot({
    kind: "line",
    name: "latency",
    title: "Slowest hundredth of the requests while processes are killed",
    x: { label: "time, s" },
    y: { label: "p99, ms" },
    series: [{ name: "p99", points: points.map(({ at, p99 }) => [at, p99] as const) }],
    marks,
  });
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
