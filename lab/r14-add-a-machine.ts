import { setTimeout as pause } from "node:timers/promises";

import { demoPages } from "../apps/posts/src/traffic/demo-pages.ts";
import { startTraffic, trafficDefaults } from "../apps/posts/src/traffic/traffic.ts";
import { missingFromShards } from "./support/acknowledged.ts";
import { type ByHand, runByHand } from "./support/by-hand.ts";
import { defineExperiment, type Lab } from "./support/experiment.ts";
import { type LabFleet, startFleet, until } from "./support/fleet.ts";
import { readMetrics, servedRequests } from "./support/metrics.ts";

const perSecond = 100;
const fullPerSecond = 200;
const rounds = 2;
const fullRounds = 8;
/** How long a new instance stays. */
const stayMs = 6_000;
const settleMs = 5_000;
const routes = ["GET /api/v1/posts/:user", "POST /api/v1/posts/:user"];

export const experiment = defineExperiment({
  id: "R14",
  title: "Instances join and leave under traffic",
  claim:
    "Add the machine and it just works: a new instance of a service that is under load is called " +
    "within moments of its start, and leaves when it is stopped or killed, with nothing else " +
    "touched, no request failed and no acknowledged post lost.",
  expectedMinutes: 2,
  async run(lab) {
    const fleet = await startFleet({ say: lab.say });
    lab.atEnd(() => fleet.close());
    const rate = lab.full ? fullPerSecond : perSecond;
    const { instances } = await fleet.status();
    const pages = instances.find(({ service }) => service === "pages");
    const urls = demoPages(`http://${pages?.address}:${pages?.port}`);
    const traffic = startTraffic({
      ...trafficDefaults,
      gateway: fleet.gateway,
      perSecond: rate,
      urls,
    });
    const before = await lives(fleet);
    const changes = new Changes();
    const count = lab.full ? fullRounds : rounds;
    for (let round = 0; round < count; round++) await joinAndLeave(lab, fleet, changes, round);
    await pause(1_000);
    await traffic.stop();
    const { answered, failed, skipped, missed } = traffic.report();
    report(lab, changes, {
      answered,
      failed: failed + skipped,
      missed,
      touched: changed(before, await lives(fleet)),
    });
    await pause(settleMs);
    const { asked, missing } = await missingFromShards(fleet.dataFolder, traffic.acknowledged());
    lab.figure({ name: "acknowledged posts", value: asked, unit: "" });
    const goal = { equals: 0 } as const;
    lab.figure({ name: "acknowledged posts lost", value: missing.length, unit: "", goal });
    changes.draw(lab);
  },
});

/** Two instances come together; one is asked to leave, the other is killed without a word. */
async function joinAndLeave(
  lab: Lab,
  fleet: LabFleet,
  changes: Changes,
  round: number,
): Promise<void> {
  const join = async (name: string): Promise<ByHand> => {
    const instance = await runByHand({ fleet, service: "posts", name, stores: ["posts"] });
    lab.atEnd(() => instance[Symbol.asyncDispose]());
    await changes.joined(fleet, instance);
    return instance;
  };
  const [polite, sudden] = await Promise.all([
    join(`posts-added-${2 * round + 1}`),
    join(`posts-added-${2 * round + 2}`),
  ]);
  await pause(stayMs, undefined, { signal: lab.signal });
  await changes.left(fleet, polite, "SIGTERM");
  await changes.left(fleet, sudden, "SIGKILL");
}

interface Stay {
  readonly name: string;
  readonly readyAt: number;
  readonly calledAt: number;
  readonly leftAt: number;
  readonly calls: number;
}

/** What became of each instance that was added. */
class Changes {
  readonly #began = performance.now();
  readonly #here = new Map<string, { readonly readyAt: number; readonly calledAt: number }>();
  readonly stays: Stay[] = [];

  async joined(fleet: LabFleet, instance: ByHand): Promise<void> {
    const readyAt = performance.now();
    await until(
      `${instance.name} to be called`,
      15_000,
      async () => (await served(fleet, instance)) > 0,
    );
    this.#here.set(instance.name, { readyAt, calledAt: performance.now() });
  }

  async left(fleet: LabFleet, instance: ByHand, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const calls = await served(fleet, instance);
    await instance.end(signal);
    const here = this.#here.get(instance.name);
    if (here === undefined) throw new Error(`${instance.name} was never here`);
    this.stays.push({ name: instance.name, ...here, leftAt: performance.now(), calls });
  }

  draw(lab: Lab): void {
    const seconds = (ms: number): number => (ms - this.#began) / 1_000;
    lab.plot({
      kind: "timeline",
      name: "stays",
      title: "Instances of posts that came and went under load",
      x: { label: "time, s" },
      rows: this.stays.map(({ name, readyAt, calledAt, leftAt }) => ({
        name,
        spans: [
          { from: seconds(readyAt), to: seconds(calledAt), tone: "waiting" as const },
          { from: seconds(calledAt), to: seconds(leftAt), tone: "good" as const },
        ],
      })),
    });
  }
}

async function served({ token }: LabFleet, { adminPort }: ByHand): Promise<number> {
  const metrics = await readMetrics(adminPort, token);
  return routes.reduce((sum, route) => sum + servedRequests(metrics, route), 0);
}

interface Outcome {
  readonly answered: number;
  readonly failed: number;
  readonly missed: number;
  readonly touched: number;
}

function report(lab: Lab, { stays }: Changes, outcome: Outcome): void {
  const zero = { equals: 0 } as const;
  lab.figure({ name: "instances that came and went", value: stays.length, unit: "" });
  lab.figure({
    name: "longest time from ready to the first call",
    value: Math.max(...stays.map(({ readyAt, calledAt }) => calledAt - readyAt)),
    unit: "ms",
    goal: { atMost: 3_000 },
  });
  lab.figure({
    name: "fewest calls that one of them got",
    value: Math.min(...stays.map(({ calls }) => calls)),
    unit: "",
    goal: { atLeast: 10 },
  });
  lab.figure({ name: "requests answered", value: outcome.answered, unit: "" });
  lab.figure({ name: "requests failed", value: outcome.failed, unit: "", goal: zero });
  lab.figure({
    name: "reads that missed the author's own acknowledged post",
    value: outcome.missed,
    unit: "",
    goal: zero,
  });
  lab.figure({
    name: "other processes that were started anew",
    value: outcome.touched,
    unit: "",
    goal: zero,
  });
}

type Lives = ReadonlyMap<string, number | undefined>;

async function lives(fleet: LabFleet): Promise<Lives> {
  const { instances } = await fleet.status();
  return new Map(instances.map(({ name, pid }) => [name, pid]));
}

function changed(before: Lives, after: Lives): number {
  return [...before].filter(([name, pid]) => after.get(name) !== pid).length;
}
