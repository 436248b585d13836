import { createRequire } from "node:module";
import type { Change, Coordinator } from "tenfold/coordination";
import { isTenfoldError, type Random, type SocketAddress, seededRandom } from "tenfold/runtime";
import { createFaultProxies, type FaultProxies } from "tenfold/testing";

import { connect, type LabEngine, labEngines } from "./support/coordination/engines.ts";
import {
  type FollowedMap,
  followed,
  followedByEtcd3,
  followedFromHead,
} from "./support/coordination/followed-maps.ts";
import { defineExperiment, type Lab } from "./support/experiment.ts";

/** In sum over all links of an engine; each link has a reader and keys of its own. */
const sizes = { small: { cuts: 250, links: 5 }, full: { cuts: 10_000, links: 20 } };
const keys = 1_000;
const bytesMax = 4_000;
/** How often each map is compared, in cuts of its link. */
const compareEvery = 50;
/** Late is not lost: what has not come by then is. */
const patienceMs = 120_000;

/**
 * Every engine behind links that are cut at a byte drawn by lot, again and again, while a thousand
 * keys behind each are written and deleted. On the first link two readers more show that the
 * experiment can see losses: one goes on from the head of the store, as popular clients do; the
 * other is such a client.
 */
export const experiment = defineExperiment({
  id: "R7",
  title: "watches over a link that is cut at any byte",
  claim:
    "Over random cuts no state of a watched map is lost and none goes back, on the embedded " +
    "coordinator, on one etcd and on three; a reader that goes on from the head loses some.",
  expectedMinutes: 2,
  async run(lab) {
    const size = lab.full ? sizes.full : sizes.small;
    const bars: { name: string; value: number }[] = [];
    for (const engine of labEngines) {
      const found = await cutAgainAndAgain(lab, engine, size);
      const figure = (name: string, value: number, goal?: { equals: number }): void =>
        lab.figure({ name: `${engine.name}: ${name}`, value, unit: "", ...(goal && { goal }) });
      const { made, states, lost, wentBack, first } = found;
      figure("cuts", made);
      figure("states written", states);
      figure("map states lost", lost, { equals: 0 });
      figure("map states that went back", wentBack, { equals: 0 });
      const name = `${engine.name}: lost by a reader from the head`;
      lab.figure({ name, value: first.fromHead, unit: "", goal: { atLeast: 1 } });
      figure(`lost by ${etcd3}, in ${first.cuts} of the cuts`, first.byEtcd3);
      figure(`keys of ${keys} that ${etcd3} had wrong at worst`, first.byEtcd3AtWorst);
      bars.push({ name: engine.name, value: lost });
      bars.push({ name: `${engine.name}, from the head`, value: first.fromHead });
      bars.push({ name: `${engine.name}, ${etcd3}`, value: first.byEtcd3 });
    }
    lab.plot({
      kind: "bar",
      name: "lost",
      title: `Map states lost over ${size.cuts} cuts at random bytes, each engine`,
      y: { label: `states that a reader never heard of; two of them on 1 of ${size.links} links` },
      bars,
      goal: 0,
    });
  },
});

const etcd3 = `npm etcd3 ${createRequire(import.meta.url)("etcd3/package.json").version}`;

interface Found {
  readonly made: number;
  readonly states: number;
  readonly lost: number;
  readonly wentBack: number;
}

/** What the readers lost that show the fault, on the first link. */
interface Shown {
  cuts: number;
  fromHead: number;
  byEtcd3: number;
  byEtcd3AtWorst: number;
}

async function cutAgainAndAgain(
  lab: Lab,
  engine: LabEngine,
  { cuts, links }: (typeof sizes)["full"],
): Promise<Found & { readonly first: Shown }> {
  const addresses = await engine.start(lab);
  const first: Shown = { cuts: cuts / links, fromHead: 0, byEtcd3: 0, byEtcd3AtWorst: 0 };
  const writer = connect(addresses);
  lab.atEnd(() => writer.close());
  const all = await Promise.all(
    Array.from({ length: links }, async (_, number) => {
      const name = `r07 ${engine.name} ${number}`;
      const prefix = `/lab/r07/${number}/`;
      const link = { writer, addresses, prefix, random: seededRandom(name), cuts: cuts / links };
      return cutOneLink(lab, link, number === 0 ? first : undefined);
    }),
  );
  const sum = (of: keyof Found): number => all.reduce((total, one) => total + one[of], 0);
  const [made, states, lost, wentBack] = [sum("made"), sum("states"), sum("lost"), sum("wentBack")];
  return { made, states, lost, wentBack, first };
}

interface Link {
  readonly writer: Coordinator;
  readonly addresses: readonly SocketAddress[];
  readonly prefix: string;
  readonly random: Random;
  readonly cuts: number;
}

async function cutOneLink(lab: Lab, link: Link, shown: Shown | undefined): Promise<Found> {
  const { writer, addresses, prefix, random, cuts } = link;
  const proxy = await createFaultProxies(addresses);
  lab.atEnd(() => proxy.close());
  const reader = connect(proxy.addresses);
  lab.atEnd(() => reader.close());
  const good = followed(reader, prefix);
  const baseline = shown && (await baselineReaders(lab, link, proxy));
  await until(() => good.hasBegun() && baseline?.naive.hasBegun() !== false);
  let [states, lost, compared] = [0, 0, 0];
  while (proxy.cuts < cuts && !lab.signal.aborted) {
    arm(proxy, random);
    const before = proxy.cuts;
    baseline?.naive.cut();
    do {
      states += await writeSome(link);
    } while (proxy.cuts === before);
    if (proxy.cuts < compared + compareEvery && proxy.cuts < cuts) continue;
    compared = proxy.cuts;
    proxy.cutAfterBytes(Number.POSITIVE_INFINITY);
    proxy.cutAfterBytes(Number.POSITIVE_INFINITY, "toTarget");
    const { entries } = await writer.list(prefix, { timeoutMs: 10_000 });
    await until(() => good.missing(entries) === 0, patienceMs).catch(() => {});
    lost += good.missing(entries);
    good.heal(entries);
    if (baseline !== undefined) await compareBaseline(link, baseline, shown as Shown);
  }
  const made = proxy.cuts;
  await good.stop();
  await baseline?.naive.stop();
  await baseline?.etcd3.stop();
  return { made, states, lost, wentBack: good.wentBack() };
}

interface Baseline {
  readonly naive: FollowedMap & { cut(): void };
  readonly etcd3: FollowedMap;
}

async function baselineReaders(lab: Lab, link: Link, proxy: FaultProxies): Promise<Baseline> {
  const client = connect(link.addresses);
  lab.atEnd(() => client.close());
  const naive = followedFromHead(client, link.prefix);
  return { naive, etcd3: await followedByEtcd3(proxy.addresses, link.prefix) };
}

/** What it has not heard once it has heard what was written last. */
async function compareBaseline(
  { writer, prefix }: Link,
  { naive, etcd3 }: Baseline,
  shown: Shown,
): Promise<void> {
  const last = `${prefix}last`;
  while (!(await isWritten(writer, { put: last, value: "" })));
  const { entries } = await writer.list(prefix, { timeoutMs: 10_000 });
  const told = entries.find(({ key }) => key === last)?.revision;
  await until(() => etcd3.revision(last) === told && naive.revision(last) === told);
  shown.fromHead += naive.missing(entries);
  shown.byEtcd3 += etcd3.missing(entries);
  shown.byEtcd3AtWorst = Math.max(shown.byEtcd3AtWorst, etcd3.missing(entries));
  naive.heal(entries);
  etcd3.heal(entries);
}

/** Three of four cuts are in what the server says, the fourth in what a client says. */
function arm(proxy: FaultProxies, random: Random): void {
  const bytes = random.below(random.below(2) === 0 ? 100 : bytesMax);
  if (random.below(4) > 0) proxy.cutAfterBytes(bytes);
  else {
    // A reader that only listens says next to nothing: it has to begin anew.
    proxy.reset();
    proxy.cutAfterBytes(bytes >> 4, "toTarget");
  }
}

/** How many were acknowledged. One that was not may have been made: a listing tells. */
async function writeSome({ writer, prefix, random }: Link): Promise<number> {
  const one = async (): Promise<number> => {
    const key = `${prefix}${random.below(keys)}`;
    const change =
      random.below(4) === 0 ? { delete: key } : { put: key, value: `${random.next()}` };
    return (await isWritten(writer, change)) ? 1 : 0;
  };
  return (await Promise.all(Array.from({ length: 8 }, one))).reduce((sum, count) => sum + count, 0);
}

function isWritten(writer: Coordinator, change: Change): Promise<boolean> {
  return writer.transact({ change: [change] }, { timeoutMs: 10_000 }).then(
    ({ outcome }) => outcome === "applied",
    (error: unknown) => {
      if (isTenfoldError(error, "TENFOLD_COORDINATION_UNAVAILABLE")) return false;
      throw error;
    },
  );
}

async function until(check: () => boolean, withinMs = patienceMs): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!check()) {
    if (performance.now() > deadline) throw new Error("it did not come about in time");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
