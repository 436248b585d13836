import { createRequire } from "node:module";
import { setImmediate as pause } from "node:timers/promises";
import { parseArgs } from "node:util";

import {
  type BalancerOptions,
  balancer,
  boundedHash,
  dynamicWeighted,
  fullScan,
  leastLoaded,
  roundRobin,
  smoothWeighted,
  twoChoices,
} from "tenfold/balancing";
import { seededRandom } from "tenfold/runtime";

/**
 * Pick, report and release of one call: nanoseconds of CPU and bytes allocated, in pools of 3, 10
 * and 100 hosts; the median of rounds in turn. Beside it P2cBalancer of load-balancers from npm,
 * which counts picks and learns nothing of how calls went. `--json` for machines, `--rounds`.
 */
interface PeerBalancer {
  pick(): number;
}
const { P2cBalancer } = createRequire(import.meta.url)("load-balancers") as {
  P2cBalancer: new (count: number) => PeerBalancer;
};

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
  },
});
const rounds = Number(values.rounds);
const callsPerRound = 100_000;
/** So few that no collection comes in between. */
const callsMeasured = 5_000;

const policies: Readonly<Record<string, Omit<BalancerOptions, "random">>> = {
  "default (4 choices, peak-EWMA)": {},
  "two choices, peak-EWMA": { picking: twoChoices() },
  "two choices, least loaded": { picking: twoChoices(), measure: leastLoaded },
  "full scan, least loaded": { picking: fullScan(), measure: leastLoaded },
  "round robin": { picking: roundRobin(), measure: leastLoaded },
  "smooth weighted": { picking: smoothWeighted(), measure: leastLoaded },
  "dynamic weighted": { picking: dynamicWeighted() },
  "bounded hash": { picking: boundedHash(), measure: leastLoaded },
};

/** Makes that many calls; eight are under way at any time. */
type Load = (calls: number) => void;

function ours(hosts: number, choice: Omit<BalancerOptions, "random">): Load {
  const random = seededRandom("bench");
  const pool = balancer({ random, ...choice });
  pool.update(Array.from({ length: hosts }, (_, i) => ({ id: `h${i}`, weight: 1 })));
  const latencies = Array.from({ length: 1_024 }, () => -10 * Math.log(1 - random.next()));
  const options = { key: "user:4711", mayProbe: true };
  const open = Array.from({ length: 8 }, () => pool.pick(0, options));
  let now = 10_000;
  return (calls) => {
    for (let i = 0; i < calls; i++) {
      now += 0.25;
      const place = i & 7;
      const over = open[place];
      over?.report(now, "success", latencies[i & 1_023] as number);
      over?.release();
      open[place] = pool.pick(now, options);
    }
  };
}

/** A host that always fails, and nothing else: the way of a failure through ejection. */
function failing(hosts: number): Load {
  const pool = balancer({ random: seededRandom("bench") });
  pool.update(Array.from({ length: hosts }, (_, i) => ({ id: `h${i}`, weight: 1 })));
  let now = 10_000;
  return (calls) => {
    for (let i = 0; i < calls; i++) {
      now += 0.25;
      const picked = pool.pick(now);
      picked?.report(now, "failure", 1);
      picked?.release();
    }
  };
}

function peer(hosts: number): Load {
  const pool = new P2cBalancer(hosts);
  let sum = 0;
  return (calls) => {
    for (let i = 0; i < calls; i++) sum += pool.pick();
    if (sum < 0) throw new Error("unreachable");
  };
}

interface Case {
  readonly name: string;
  readonly load: Load;
  readonly nanos: number[];
  readonly bytes: number[];
}

const cases: Case[] = [3, 10, 100].flatMap((hosts) => {
  const of = (name: string, load: Load): Case => {
    return { name: `${name}, ${hosts} hosts`, load, nanos: [], bytes: [] };
  };
  return [
    ...Object.entries(policies).map(([name, choice]) => of(name, ours(hosts, choice))),
    of("default, every call fails", failing(hosts)),
    of("load-balancers P2C, pick only", peer(hosts)),
  ];
});

for (let round = -2; round < rounds; round++) {
  for (const each of cases) {
    // CPU time and not the clock, so that a busy machine matters less.
    const began = process.cpuUsage();
    each.load(callsPerRound);
    const { user, system } = process.cpuUsage(began);
    globalThis.gc?.();
    await pause();
    const before = process.memoryUsage().heapUsed;
    each.load(callsMeasured);
    const bytes = (process.memoryUsage().heapUsed - before) / callsMeasured;
    if (round < 0) continue;
    each.nanos.push(((user + system) * 1_000) / callsPerRound);
    each.bytes.push(bytes);
  }
}

function median(numbers: readonly number[]): number {
  return Math.round(numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN);
}

const rows = cases.map(({ name, nanos, bytes }) => {
  return { name, "ns per call": median(nanos), "bytes per call": median(bytes) };
});
if (values.json) console.log(JSON.stringify({ benchmark: "balancing", figures: rows }));
else console.table(rows);
