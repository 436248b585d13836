import { createRequire } from "node:module";
import { setImmediate as pause } from "node:timers/promises";
import { parseArgs } from "node:util";

import {
  jump,
  ketama,
  maglev,
  murmur3,
  murmur3x64,
  rendezvous,
  ring,
  ringInSteps,
} from "tenfold/hashing";

/**
 * Look-ups a second in pools of 10 and 1,000 nodes, and how long a pool of 1,000 takes to build,
 * beside hashring from npm in the same run: rounds in turn, the median of each. hashring keeps
 * 5,000 answers: it is asked for more keys than that, and once for few. `--json` for machines,
 * `--rounds` for steadier figures.
 */
interface HashRing {
  get(key: string): string;
}
const HashRingClass = createRequire(import.meta.url)("hashring") as new (
  servers: readonly string[],
) => HashRing;

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "7" },
  },
});
const rounds = Number(values.rounds);
const roundMs = 80;

// Texts as they come in from outside, not joined ones that V8 has yet to flatten.
const keys = Array.from({ length: 16_384 }, (_, i) => Buffer.from(`user:${i * 7_919}`).toString());
const few = keys.slice(0, 1_000);
const named = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ nickname: `cache-${i}` }));
const servers = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ host: `10.0.${i >> 8}.${i & 255}` }));
const addresses = (count: number) => servers(count).map(({ host }) => `${host}:11211`);

type Pick = (key: string) => unknown;
interface Case {
  readonly name: string;
  readonly pick: Pick;
  readonly keys: readonly string[];
  /** What it is compared with. */
  readonly peer?: string;
}

const peer = (count: number): Pick => {
  const hashring = new HashRingClass(addresses(count));
  return (key) => hashring.get(key);
};
const picked = (from: { pick(key: string): unknown }): Pick => from.pick;
const cases: readonly Case[] = [
  { name: "murmur3", pick: (key) => murmur3(key), keys },
  { name: "murmur3x64", pick: (key) => murmur3x64(key), keys },
  { name: "hashring, 10 nodes", pick: peer(10), keys },
  { name: "hashring, 10 nodes, 1,000 hot keys", pick: peer(10), keys: few },
  {
    name: "ketama (libketama), 10 nodes",
    pick: picked(ketama("libketama", servers(10))),
    keys,
    peer: "hashring, 10 nodes",
  },
  { name: "ring, 10 nodes", pick: picked(ring(named(10))), keys, peer: "hashring, 10 nodes" },
  { name: "hashring, 1,000 nodes", pick: peer(1_000), keys },
  {
    name: "ketama (libketama), 1,000 nodes",
    pick: picked(ketama("libketama", servers(1_000))),
    keys,
    peer: "hashring, 1,000 nodes",
  },
  {
    name: "ring, 1,000 nodes",
    pick: picked(ring(named(1_000))),
    keys,
    peer: "hashring, 1,000 nodes",
  },
  { name: "maglev, 100 nodes", pick: picked(maglev(named(100))), keys },
  { name: "rendezvous, 10 nodes", pick: picked(rendezvous(named(10))), keys },
  { name: "jump, 1,000 buckets", pick: (key) => jump(key, 1_000), keys },
];

/** Calls a second, all keys over and over; what they return is kept, or V8 would leave it out. */
function rate({ pick, keys: own }: Case): number {
  let calls = 0;
  let seen = 0;
  const start = performance.now();
  let end = start;
  while (end - start < roundMs) {
    for (const key of own) if (pick(key) !== undefined) seen++;
    calls += own.length;
    end = performance.now();
  }
  if (seen !== calls) throw new Error("a look-up found nothing");
  return (calls / (end - start)) * 1_000;
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

function timed(build: () => unknown): number {
  const start = performance.now();
  build();
  return performance.now() - start;
}

/** Building in steps: the time it takes, and the longest it holds the event loop. */
async function steps(): Promise<{ total: number; longest: number }> {
  const start = performance.now();
  let from = start;
  let longest = 0;
  await ringInSteps(named(1_000), {
    pause: async () => {
      longest = Math.max(longest, performance.now() - from);
      await pause();
      from = performance.now();
    },
  });
  return { total: performance.now() - start, longest };
}

const rates = new Map<string, number[]>(cases.map(({ name }) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const each of cases) rates.get(each.name)?.push(rate(each));
}
const perSecond = new Map(Array.from(rates, ([name, all]) => [name, median(all)]));
const lookUps = cases.map(({ name, peer: other }) => {
  const own = perSecond.get(name) as number;
  const ratio = other === undefined ? undefined : own / (perSecond.get(other) as number);
  return { name, perSecond: Math.round(own), ratio };
});

const inSteps: { total: number; longest: number }[] = [];
for (let round = 0; round < rounds; round++) inSteps.push(await steps());
const buildMs = {
  "ring, at once": median(inSteps.map(() => timed(() => ring(named(1_000))))),
  "ring, in steps": median(inSteps.map(({ total }) => total)),
  "ring, the longest step": median(inSteps.map(({ longest }) => longest)),
  "ketama (libketama)": median(inSteps.map(() => timed(() => ketama("libketama", servers(1_000))))),
  // Once: it takes as long as everything else here.
  hashring: timed(() => new HashRingClass(addresses(1_000))),
};

if (values.json) console.log(JSON.stringify({ lookUps, buildMs }));
else {
  console.log("look-ups, millions a second (median), and times hashring");
  for (const { name, perSecond: own, ratio } of lookUps) {
    const times = ratio === undefined ? "" : `${ratio.toFixed(1)} x`;
    console.log(`  ${name.padEnd(38)} ${(own / 1e6).toFixed(2).padStart(7)} ${times.padStart(10)}`);
  }
  console.log("a pool of 1,000 nodes, 160,000 points: ms to build (median)");
  for (const [name, ms] of Object.entries(buildMs)) {
    console.log(`  ${name.padEnd(38)} ${ms.toFixed(1).padStart(7)}`);
  }
}
