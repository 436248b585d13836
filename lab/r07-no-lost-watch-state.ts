import type { Coordinator, Entry } from "tenfold/coordination";
import { type Random, seededRandom } from "tenfold/runtime";
import { createFaultProxies, type FaultProxies } from "tenfold/testing";

import { connect, type LabEngine, labEngines } from "./support/coordination/engines.ts";
import { defineExperiment, type Lab } from "./support/experiment.ts";

const cuts = { small: 250, full: 10_000 };
const keys = 1_000;
const bytesMax = 4_000;
/** How often the maps are compared, in cuts. */
const compareEvery = 50;
const patienceMs = 20_000;
const prefix = "/lab/r07/";

/**
 * Every engine behind a link that is cut at a byte drawn by lot, again and again, while a thousand
 * keys are written and deleted. A second reader does what popular clients do: it goes on from the
 * head of the store. What it loses shows that the experiment can see losses.
 */
export const experiment = defineExperiment({
  id: "R7",
  title: "watches over a link that is cut at any byte",
  claim:
    "Over random cuts no state of a watched map is lost and none goes back, on the embedded " +
    "coordinator, on one etcd and on three; a reader that goes on from the head loses some.",
  expectedMinutes: 2,
  async run(lab) {
    const wanted = lab.full ? cuts.full : cuts.small;
    const bars: { name: string; value: number }[] = [];
    for (const engine of labEngines) {
      const found = await cutAgainAndAgain(lab, engine, wanted);
      const { lost, wentBack, lostFromHead, made, states } = found;
      const figure = (name: string, value: number, goal?: { equals: number }): void =>
        lab.figure({ name: `${engine.name}: ${name}`, value, unit: "", ...(goal && { goal }) });
      figure("cuts", made);
      figure("states written", states);
      figure("map states lost", lost, { equals: 0 });
      figure("map states that went back", wentBack, { equals: 0 });
      lab.figure({
        name: `${engine.name}: lost by a reader from the head`,
        value: lostFromHead,
        unit: "",
        goal: { atLeast: 1 },
      });
      bars.push({ name: engine.name, value: lost });
      bars.push({ name: `${engine.name}, from the head`, value: lostFromHead });
    }
    lab.plot({
      kind: "bar",
      name: "lost",
      title: `Map states lost over ${wanted} cuts at random bytes, each engine`,
      y: { label: "states that a reader never heard of" },
      bars,
      goal: 0,
    });
  },
});

interface Found {
  readonly made: number;
  readonly states: number;
  readonly lost: number;
  readonly wentBack: number;
  readonly lostFromHead: number;
}

async function cutAgainAndAgain(lab: Lab, engine: LabEngine, wanted: number): Promise<Found> {
  const addresses = await engine.start(lab);
  const proxy = await createFaultProxies(addresses);
  lab.atEnd(() => proxy.close());
  const [writer, reader, other] = [
    connect(addresses),
    connect(proxy.addresses),
    connect(addresses),
  ];
  for (const client of [writer, reader, other]) lab.atEnd(() => client.close());
  const random = seededRandom(`r07 ${engine.name}`);
  const good = followed(reader);
  const naive = followedFromHead(other);
  lab.atEnd(() => Promise.all([good.stop(), naive.stop()]).then(() => {}));
  await until(() => good.hasBegun() && naive.hasBegun());
  let [states, lost, lostFromHead, compared] = [0, 0, 0, 0];
  while (proxy.cuts < wanted && !lab.signal.aborted) {
    arm(proxy, random);
    const before = proxy.cuts;
    naive.cut();
    do {
      states += await writeSome(writer, random);
    } while (proxy.cuts === before);
    if (proxy.cuts < compared + compareEvery && proxy.cuts < wanted) continue;
    compared = proxy.cuts;
    proxy.cutAfterBytes(Number.POSITIVE_INFINITY);
    proxy.cutAfterBytes(Number.POSITIVE_INFINITY, "toTarget");
    const { entries } = await writer.list(prefix);
    await until(() => good.missing(entries) === 0, patienceMs).catch(() => {});
    lost += good.missing(entries);
    lostFromHead += naive.missing(entries);
    good.heal(entries);
    naive.heal(entries);
  }
  const made = proxy.cuts;
  await Promise.all([good.stop(), naive.stop()]);
  return { made, states, lost, lostFromHead, wentBack: good.wentBack() };
}

/** Half of the cuts are in what the server says, half in what the client says. */
function arm(proxy: FaultProxies, random: Random): void {
  const bytes = random.below(random.below(2) === 0 ? 100 : bytesMax);
  if (random.below(4) > 0) proxy.cutAfterBytes(bytes);
  else proxy.cutAfterBytes(bytes >> 4, "toTarget");
}

async function writeSome(writer: Coordinator, random: Random): Promise<number> {
  const one = async (): Promise<void> => {
    const key = `${prefix}${random.below(keys)}`;
    const change =
      random.below(4) === 0 ? { delete: key } : { put: key, value: `${random.next()}` };
    const { outcome } = await writer.transact({ change: [change] }, { timeoutMs: 10_000 });
    if (outcome !== "applied") throw new Error(`a write over the sound link was ${outcome}`);
  };
  await Promise.all(Array.from({ length: 8 }, one));
  return 8;
}

/** A map that a reader keeps by a watch. */
interface Followed {
  hasBegun(): boolean;
  /** Keys whose entry is not the listed one. */
  missing(listed: readonly Entry[]): number;
  /** Takes the listing for its own, so that a loss is counted once. */
  heal(listed: readonly Entry[]): void;
  wentBack(): number;
  stop(): Promise<void>;
}

function keptMap() {
  const map = new Map<string, bigint>();
  let wentBack = 0;
  return {
    map,
    put(entry: Entry): void {
      if ((map.get(entry.key) ?? -1n) > entry.revision) wentBack++;
      map.set(entry.key, entry.revision);
    },
    wentBack: () => wentBack,
    missing(listed: readonly Entry[]): number {
      const now = new Map(listed.map(({ key, revision }) => [key, revision]));
      const all = new Set([...now.keys(), ...map.keys()]);
      return [...all].filter((key) => now.get(key) !== map.get(key)).length;
    },
    heal(listed: readonly Entry[]): void {
      map.clear();
      for (const { key, revision } of listed) map.set(key, revision);
    },
  };
}

function followed(client: Coordinator): Followed {
  const kept = keptMap();
  const stop = new AbortController();
  let hasBegun = false;
  const running = (async () => {
    for await (const { changes } of client.watch(prefix, { signal: stop.signal })) {
      hasBegun = true;
      for (const change of changes) {
        if (change.kind === "put") kept.put(change.entry);
        else kept.map.delete(change.key);
      }
    }
  })();
  return {
    ...kept,
    hasBegun: () => hasBegun,
    async stop() {
      stop.abort();
      await running;
    },
  };
}

/** Takes its watch up after a cut without looking at what happened meanwhile. */
function followedFromHead(client: Coordinator): Followed & { cut(): void } {
  const kept = keptMap();
  let stop = new AbortController();
  let running: Promise<void> = Promise.resolve();
  let hasBegun = false;
  const start = (isFirst: boolean): void => {
    const { signal } = stop;
    running = (async () => {
      let index = 0;
      for await (const { changes } of client.watch(prefix, { signal })) {
        hasBegun = true;
        if (index++ === 0 && !isFirst) continue;
        for (const change of changes) {
          if (change.kind === "put") kept.put(change.entry);
          else kept.map.delete(change.key);
        }
      }
    })();
  };
  start(true);
  return {
    ...kept,
    hasBegun: () => hasBegun,
    cut() {
      stop.abort();
      stop = new AbortController();
      start(false);
    },
    async stop() {
      stop.abort();
      await running;
    },
  };
}

async function until(check: () => boolean, withinMs = patienceMs): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!check()) {
    if (performance.now() > deadline) throw new Error("it did not come about in time");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
