import { setTimeout as pause } from "node:timers/promises";
import { systemRuntime } from "tenfold/runtime";
import { demoPages } from "../apps/posts/src/traffic/demo-pages.ts";
import { createGatewayClient } from "../apps/posts/src/traffic/gateway-client.ts";

import { runByHand } from "./support/by-hand.ts";
import { defineExperiment, type Lab } from "./support/experiment.ts";
import { type LabFleet, startFleet, until } from "./support/fleet.ts";
import { readMetrics, servedRequests } from "./support/metrics.ts";

/** Callers at once; each asks again as soon as it was answered, after a moment. */
const callers = 8;
const thinkMs = 10;
const observeMs = 8_000;
/** The balancer lets a new host in slowly; its share counts from the end of that. */
const slowStartMs = 5_500;
const sampleMs = 250;

/** One stateless service, and what it is asked. */
interface Subject {
  readonly service: string;
  readonly route: string;
  readonly settings: Readonly<Record<string, unknown>>;
  path(call: number): string;
}

export const experiment = defineExperiment({
  id: "R57",
  title: "scrap, geoip and guid grow by a copy",
  claim:
    "One more copy of scrap, geoip or guid, started by hand beside a running fleet, is called " +
    "within moments and gets its share without anything else being touched; killed under load it " +
    "costs no request; the ids of all copies stay unique.",
  expectedMinutes: 2,
  async run(lab) {
    const fleet = await startFleet({ say: lab.say });
    lab.atEnd(() => fleet.close());
    for (const subject of await subjectsOf(fleet)) await addCopy(lab, fleet, subject);
  },
});

async function subjectsOf(fleet: LabFleet): Promise<readonly Subject[]> {
  const { instances } = await fleet.status();
  const pages = instances.find(({ service }) => service === "pages");
  const host = `${pages?.address}:${pages?.port}`;
  const urls = demoPages(`http://${host}`);
  return [
    {
      service: "scrap",
      route: "GET /api/v1/scrap",
      settings: { allowHosts: [host] },
      // Some are in a copy's cache, some are not, as with real pages.
      path: (call) => {
        const url = `${urls[call % urls.length]}?edition=${call % 500}`;
        return `/api/v1/scrap?url=${encodeURIComponent(url)}`;
      },
    },
    {
      service: "geoip",
      route: "GET /api/v1/geoip/:ip",
      settings: { database: "demo" },
      path: (call) => `/api/v1/geoip/192.0.2.${call % 256}`,
    },
    { service: "guid", route: "GET /api/v1/guid", settings: {}, path: () => "/api/v1/guid" },
  ];
}

async function addCopy(lab: Lab, fleet: LabFleet, subject: Subject): Promise<void> {
  const { service, settings } = subject;
  lab.say(`${service}: one more copy under load`);
  const load = startLoad(fleet.gateway, subject);
  const instances = await instancesOf(fleet, subject);
  const before = await lives(fleet);
  const sampler = sampleCalls(fleet, subject, instances);
  await pause(observeMs / 2, undefined, { signal: lab.signal });

  const startedAt = sampler.now();
  const name = `${service}-by-hand`;
  const copy = await runByHand({ fleet, service, name, settings });
  lab.atEnd(() => copy[Symbol.asyncDispose]());
  sampler.add(copy);
  await until(`${name} to be called`, 10_000, () => (sampler.total(name) ?? 0) > 0);
  const calledAt = sampler.now();
  await pause(slowStartMs, undefined, { signal: lab.signal });
  const from = sampler.totals();
  await pause(observeMs, undefined, { signal: lab.signal });
  const to = sampler.totals();
  const calls = [...to].map(([each, total]) => total - (from.get(each) ?? 0));
  const own = (to.get(name) ?? 0) - (from.get(name) ?? 0);
  const share = own / calls.reduce((sum, each) => sum + each, 0);
  const fair = 1 / to.size;

  const killedAt = sampler.now();
  await copy.end("SIGKILL");
  await pause(observeMs / 2, undefined, { signal: lab.signal });
  await load.stop();
  const series = await sampler.stop();
  const touched = changed(before, await lives(fleet));
  report(lab, service, { share, fair, touched, joinMs: calledAt - startedAt, load });
  lab.plot({
    kind: "line",
    name: service,
    title: `Calls of each copy of ${service}`,
    x: { label: "time, s" },
    y: { label: "calls/s" },
    series,
    marks: [
      { x: calledAt / 1_000, label: "copy joins" },
      { x: killedAt / 1_000, label: "copy killed" },
    ],
  });
}

interface Outcome {
  readonly share: number;
  /** What each would get if all got the same. */
  readonly fair: number;
  readonly touched: number;
  readonly joinMs: number;
  readonly load: Load;
}

function report(lab: Lab, service: string, { share, fair, touched, joinMs, load }: Outcome): void {
  const zero = { equals: 0 } as const;
  const { answered, failed, ids } = load.counts();
  const figure = (name: string, value: number, unit: string, goal?: typeof zero): void =>
    lab.figure({ name: `${service}: ${name}`, value, unit, ...(goal && { goal }) });
  figure("from its start to its first call", joinMs, "ms");
  lab.figure({
    name: `${service}: share of the calls beside an equal share`,
    value: share / fair,
    unit: "",
    goal: { atLeast: 0.5 },
  });
  figure("requests answered", answered, "");
  figure("requests failed while it came and was killed", failed, "", zero);
  figure("other processes that were started anew", touched, "", zero);
  if (ids.length === 0) return;
  figure("ids handed out", ids.length, "");
  figure("ids handed out twice", ids.length - new Set(ids).size, "", zero);
}

interface Load {
  counts(): { answered: number; failed: number; ids: readonly string[] };
  stop(): Promise<void>;
}

/** Callers that ask through the gateway until stopped. */
function startLoad(gateway: string, { path }: Subject): Load {
  const client = createGatewayClient(gateway, systemRuntime.clock);
  const ids: string[] = [];
  let [asked, answered, failed, stopped] = [0, 0, 0, false];
  const callOn = async (): Promise<void> => {
    while (!stopped) {
      const answer = await client.call({ method: "GET", path: path(asked++) });
      if (answer.status === 200 && answer.reconnects === 0) answered += 1;
      else failed += 1;
      const { guid } = JSON.parse(answer.text) as { guid?: string };
      if (guid !== undefined) ids.push(guid);
      await pause(thinkMs);
    }
  };
  const calling = Promise.all(Array.from({ length: callers }, callOn));
  return {
    counts: () => ({ answered, failed, ids }),
    async stop() {
      stopped = true;
      await calling;
      client.close();
    },
  };
}

interface Copy {
  readonly name: string;
  readonly adminPort: number;
}

async function instancesOf(fleet: LabFleet, { service }: Subject): Promise<readonly Copy[]> {
  const { instances } = await fleet.status();
  return instances.flatMap((each) =>
    each.service === service && each.adminPort !== undefined
      ? [{ name: each.name, adminPort: each.adminPort }]
      : [],
  );
}

/** Reads each copy's own count of calls again and again; one that is gone keeps its last. */
function sampleCalls(fleet: LabFleet, { route }: Subject, first: readonly Copy[]) {
  const copies = [...first];
  const began = performance.now();
  const now = (): number => performance.now() - began;
  const counts = new Map<string, { at: number; total: number }[]>();
  const sampleOne = async ({ name, adminPort }: Copy): Promise<void> => {
    const metrics = await readMetrics(adminPort, fleet.token).catch(() => undefined);
    if (metrics === undefined) return;
    const known = counts.get(name) ?? [];
    counts.set(name, [...known, { at: now(), total: servedRequests(metrics, route) }]);
  };
  let stopped = false;
  const sampling = (async () => {
    while (!stopped) {
      await Promise.all(copies.map(sampleOne));
      await pause(sampleMs);
    }
  })();
  const total = (name: string): number | undefined => counts.get(name)?.at(-1)?.total;
  return {
    now,
    add: (copy: Copy) => void copies.push(copy),
    total,
    totals: () => new Map([...counts.keys()].map((name) => [name, total(name) ?? 0])),
    async stop() {
      stopped = true;
      await sampling;
      return [...counts].map(([name, samples]) => ({ name, points: ratesOf(samples) }));
    },
  };
}

function ratesOf(samples: readonly { readonly at: number; readonly total: number }[]) {
  return samples.slice(1).map(({ at, total }, index) => {
    const before = samples[index] ?? { at: 0, total: 0 };
    const perSecond = (total - before.total) / ((at - before.at) / 1_000);
    return [at / 1_000, perSecond] as const;
  });
}

/** Which process every instance of the fleet is. */
async function lives(fleet: LabFleet): Promise<ReadonlyMap<string, number | undefined>> {
  const { instances } = await fleet.status();
  return new Map(instances.map(({ name, pid }) => [name, pid]));
}

function changed(
  before: ReadonlyMap<string, number | undefined>,
  after: ReadonlyMap<string, number | undefined>,
): number {
  return [...before].filter(([name, pid]) => after.get(name) !== pid).length;
}
