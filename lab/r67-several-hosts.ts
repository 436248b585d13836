import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { demoPages } from "../apps/posts/src/traffic/demo-pages.ts";
import { startTraffic, type Traffic, trafficDefaults } from "../apps/posts/src/traffic/traffic.ts";
import { startEtcd } from "./support/etcd.ts";
import { defineExperiment, type Lab } from "./support/experiment.ts";
import { until } from "./support/fleet.ts";
import { type FleetHosts, startFleetHosts } from "./support/fleet-hosts.ts";
import { readMetrics, servedRequests } from "./support/metrics.ts";
import { judgeLoss, judgeTraffic, watchTraffic } from "./support/traffic-watch.ts";

const fleetFile = join(import.meta.dirname, "../apps/posts/fleet-on-three.ts");
const addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
const names = ["a", "b", "c"];
/** It keeps no primary and no queue: those are on a and b. */
const victim = "c";
const perSecond = 60;
const quietSeconds = 10;
const awaySeconds = 20;
const backSeconds = 20;
const settleMs = 10_000;
const listRoute = "GET /api/v1/posts/:user";

export const experiment = defineExperiment({
  id: "R67",
  title: "A fleet on three hosts, one of which dies whole",
  claim:
    "While one of three hosts is killed with all its processes, supervisor and etcd node, " +
    "clients that know two gateways see no failure, no acknowledged post is lost, and the host " +
    "takes its share again when it is back.",
  expectedMinutes: 2,
  async run(lab) {
    const etcd = await startEtcd(lab, addresses);
    const { endpoints: coordinator } = etcd;
    const fleet = await startFleetHosts({ fleetFile, names, coordinator, say: lab.say });
    lab.atEnd(() => fleet.close());
    const traffic = await trafficOn(fleet);
    const watch = watchTraffic(traffic);
    lab.atEnd(() => watch.stop());

    await pause(quietSeconds * 1_000, undefined, { signal: lab.signal });
    const [node] = etcd.members.slice(-1);
    await Promise.all([fleet.kill(victim), node?.kill()]);
    watch.mark(`host ${victim} killed`);
    const beganMs = performance.now();
    await until("the others to know", 30_000, async () => (await stateOf(fleet)) !== "up");
    lab.figure({
      name: "the other hosts tell that it is gone after",
      value: performance.now() - beganMs,
      unit: "ms",
    });
    await pause(awaySeconds * 1_000, undefined, { signal: lab.signal });
    await node?.restart();
    await fleet.start(victim);
    watch.mark(`host ${victim} back`);
    await until("the host to be up", 30_000, async () => (await stateOf(fleet)) === "up");
    await shareOf(lab, fleet);
    await traffic.stop();
    watch.stop();
    judgeTraffic(lab, traffic);
    await pause(settleMs, undefined, { signal: lab.signal });
    await judgeLoss(lab, traffic, fleet.host("a").dataFolder);
    watch.draw(lab, "Answered requests while one of three hosts is away");
  },
});

async function trafficOn(fleet: FleetHosts): Promise<Traffic> {
  const { instances } = await fleet.host("a").status();
  const pages = instances.find(({ service }) => service === "pages");
  const gateway = names.map((name) => fleet.host(name).gateway);
  const urls = demoPages(`http://${pages?.address}:${pages?.port}`);
  return startTraffic({ ...trafficDefaults, gateway, perSecond, urls });
}

async function stateOf(fleet: FleetHosts): Promise<string | undefined> {
  const { hosts } = await fleet.host("a").status();
  return hosts.find(({ name }) => name === victim)?.state;
}

/** Which share of the lists the host's copy of the service answers, once it is let in again. */
async function shareOf(lab: Lab, fleet: FleetHosts): Promise<void> {
  // A balancer lets a new host in slowly, and the gateways keep their connections.
  await pause((backSeconds / 2) * 1_000, undefined, { signal: lab.signal });
  const before = await served(fleet);
  await pause((backSeconds / 2) * 1_000, undefined, { signal: lab.signal });
  const after = await served(fleet);
  const grown = [...after].map(([host, count]) => [host, count - (before.get(host) ?? 0)] as const);
  const all = grown.reduce((sum, [, count]) => sum + count, 0);
  const own = grown.find(([host]) => host === victim)?.[1] ?? 0;
  lab.figure({
    name: "share of the lists that the host answers again",
    value: own / all,
    unit: "",
    goal: { atLeast: 0.2 },
  });
}

async function served(fleet: FleetHosts): Promise<ReadonlyMap<string, number>> {
  const { instances } = await fleet.host("a").status();
  const { token } = fleet.host("a");
  const posts = instances.filter(({ service, kind }) => service === "posts" && kind === "service");
  const counts = posts.map(async ({ host, address, adminPort = 0 }) => {
    const metrics = await readMetrics(adminPort, token, address);
    return [host, servedRequests(metrics, listRoute)] as const;
  });
  return new Map(await Promise.all(counts));
}
