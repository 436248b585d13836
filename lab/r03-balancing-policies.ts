import {
  balancer,
  fullScan,
  leastLoaded,
  randomChoices,
  serverQueues,
  twoChoices,
} from "tenfold/balancing";
import { seededRandom } from "tenfold/runtime";
import {
  type Arrival,
  balancedCaller,
  type Caller,
  type Fault,
  openLoop,
  type QueuedCall,
  queuedCaller,
  type Replay,
  replay,
  replayFigures,
  type ServerSpec,
} from "tenfold/simulation";

import { realHosts } from "./support/balancing/judge-real-hosts.ts";
import { barePolicies, type Choice, policies } from "./support/balancing/policies.ts";
import { defineExperiment, type Lab } from "./support/experiment.ts";

/**
 * Balancing policies against failing, slow and frozen hosts. First in virtual time: the policy
 * objects are those of production, the servers are models with places, a queue and exponential
 * work. Then over four real processes, beside HAProxy and nginx as the caller's local proxy.
 */
export const experiment = defineExperiment({
  id: "R3",
  title: "balancing policies against failing, slow and frozen hosts",
  claim:
    "A host that fails at once gets at most 0.5 % of the traffic and is back within 5 s of " +
    "healing; a host ten times slower than the others does not show in the p99; one that was " +
    "frozen for a second has its part back within 5 s.",
  expectedMinutes: 3,
  async run(lab) {
    for (const hosts of [3, 10, 30]) failingHost(lab, hosts);
    slowHost(lab);
    slowOfFour(lab);
    mixedHosts(lab);
    frozenHost(lab);
    everyPolicy(lab);
    await realHosts(lab);
  },
});

function serversOf(count: number, slots: number, serviceMs = 10): ServerSpec[] {
  return Array.from({ length: count }, (_, i) => {
    return { id: `s${i}`, slots, queueMax: 10_000, serviceMs };
  });
}

interface Run {
  readonly servers: readonly ServerSpec[];
  readonly trace: readonly Arrival[];
  readonly faults: readonly Fault[];
}

function play(run: Run, choice: Choice): Replay {
  return replay({ ...run, caller: (client) => balancedCaller(partsOf(run, choice, client)) });
}

function partsOf({ servers }: Run, choice: Choice, client: number) {
  const own = balancer({ random: seededRandom(`client-${client}`), ...choice });
  own.update(servers.map(({ id }) => ({ id, weight: 1 })));
  return { balancer: own };
}

/** Seconds from `healedMs` until the host has four fifths of its fair part again. */
function secondsBack(run: Replay, server: string, hosts: number, healedMs: number): number {
  for (let from = healedMs; from < healedMs + 80_000; from += 500) {
    if (replayFigures(run, from, from + 1_000).share(server) >= 0.8 / hosts) {
      return (from - healedMs) / 1_000;
    }
  }
  return Number.NaN;
}

/** 2,500 calls a second from 20 clients; one host fails in a millisecond for 35 s. */
function failingHost(lab: Lab, hosts: number): void {
  const [fromMs, toMs] = [5_000, 40_000];
  const run: Run = {
    servers: serversOf(hosts, Math.ceil(60 / hosts)),
    trace: openLoop({ seed: "failing", durationMs: 50_000, perSecond: 2_500, clients: 20 }),
    faults: [{ kind: "failing", server: "s0", fromMs, toMs, share: 1, afterMs: 1 }],
  };
  const played = play(run, {});
  const outage = replayFigures(played, fromMs, toMs);
  const name = (what: string): string => `fails at once, 1 of ${hosts}: ${what}`;
  const figure = (what: string, value: number, unit: string, atMost: number): void =>
    lab.figure({ name: name(what), value, unit, goal: { atMost } });
  figure("share of attempts", outage.share("s0") * 100, "%", 0.5);
  figure("failed calls", outage.failed * 100, "%", 0.1);
  figure("attempts per call", outage.attemptsPerCall, "", 1.05);
  figure("full share after healing", secondsBack(played, "s0", hosts, toMs), "s", 5);
  if (hosts === 10) drawShare(lab, run, [fromMs, toMs]);
}

function drawShare(lab: Lab, run: Run, [fromMs, toMs]: readonly [number, number]): void {
  const shown = {
    default: {},
    "round robin": policies["round robin"] as Choice,
    ...barePolicies,
  };
  lab.plot({
    kind: "line",
    name: "failing-share",
    title: "A host of ten fails in a millisecond: its share of the attempts",
    x: { label: "seconds" },
    y: { label: "share, %" },
    series: Object.entries(shown).map(([name, choice]) => {
      const played = play(run, choice);
      return {
        name,
        points: bySecond(50, (a, b) => replayFigures(played, a, b).share("s0") * 100),
      };
    }),
    marks: [
      { x: fromMs / 1_000, label: "fails" },
      { x: toMs / 1_000, label: "healed" },
    ],
  });
}

function bySecond(
  seconds: number,
  value: (fromMs: number, toMs: number) => number,
): [number, number][] {
  return Array.from({ length: seconds }, (_, at) => [at, value(at * 1_000, (at + 1) * 1_000)]);
}

/** Ten hosts of four places, 62 % busy; one is ten times slower. */
function slowHost(lab: Lab): void {
  const [slowMs, settledMs, healedMs] = [5_000, 10_000, 40_000];
  const servers = serversOf(10, 4);
  const slow: Fault = { kind: "slow", server: "s0", fromMs: slowMs, toMs: healedMs, factor: 10 };
  const choices = {
    "default (4 choices)": {},
    "two choices": { picking: twoChoices() },
    "full scan": { picking: fullScan() },
  };
  const lines = new Map(Object.keys(choices).map((name) => [name, [] as [number, number][]]));
  for (const clients of [1, 5, 20, 60, 200]) {
    const ratios = seeds.map((seed) => {
      const trace = openLoop({ seed, durationMs: 70_000, perSecond: 2_500, clients });
      const p99 = (choice: Choice, faults: readonly Fault[], hosts = servers) => {
        const played = play({ servers: hosts, trace, faults }, choice);
        return {
          from: (fromMs: number): number => replayFigures(played, fromMs, healedMs).p99Ms,
          backS: () => secondsBack(played, "s0", hosts.length, healedMs),
        };
      };
      const fine = p99({}, []);
      const bad = p99({}, [slow]);
      return {
        settled: bad.from(settledMs) / fine.from(settledMs),
        onset: bad.from(slowMs) / fine.from(slowMs),
        nine: p99({}, [], servers.slice(1)).from(settledMs) / fine.from(settledMs),
        backS: bad.backS(),
        others: Object.entries(choices).map(([name, choice]) => {
          const ratio = p99(choice, [slow]).from(settledMs) / p99(choice, []).from(settledMs);
          return [name, ratio] as const;
        }),
      };
    });
    const of = `one of 10 is 10x slower, ${clients} clients`;
    const figure = (what: string, key: "settled" | "onset" | "nine" | "backS", atMost?: number) =>
      lab.figure({
        name: `${of}: ${what}`,
        value: median(ratios.map((each) => each[key])),
        unit: key === "backS" ? "s" : "x",
        ...(atMost !== undefined && { goal: { atMost } }),
      });
    figure("p99 to fault-free", "settled", 1.1);
    figure("with the first 5 s", "onset");
    figure("p99 of nine hosts alone to that of ten", "nine");
    figure("full share after healing", "backS");
    for (const [name, points] of lines) {
      const seen = ratios.map(({ others }) => new Map(others).get(name) as number);
      points.push([clients, median(seen)]);
    }
  }
  lab.say(
    "  medians of three traces; with the first 5 s it is more the more clients there are: each " +
      "must meet the slow host once to know of it",
  );
  lab.plot({
    kind: "line",
    name: "slow-p99",
    title: "One host of ten is ten times slower: p99 to that without a fault",
    x: { label: "clients" },
    y: { label: "ratio" },
    series: [...lines].map(([name, points]) => ({ name, points })),
  });
}

const seeds = ["slow", "b", "c"];

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

/** The same load as over real processes, for longer; beside three hosts that carry all of it. */
function slowOfFour(lab: Lab): void {
  const [fromMs, settledMs, toMs] = [20_000, 25_000, 120_000];
  const servers = serversOf(4, 10, 20);
  const trace = openLoop({ seed: "a", durationMs: toMs, perSecond: 200, clients: 1 });
  const slow: Fault = { kind: "slow", server: "s0", fromMs, toMs, factor: 10 };
  const settled = (run: Run) => replayFigures(play(run, {}), settledMs, toMs);
  const fine = settled({ servers, trace, faults: [] });
  const three = settled({ servers: servers.slice(1), trace, faults: [] });
  const bad = settled({ servers, trace, faults: [slow] });
  const figure = (what: string, value: number, unit: string, atMost?: number): void =>
    lab.figure({
      name: `one of 4 is 10x slower, 200 calls/s: ${what}`,
      value,
      unit,
      ...(atMost !== undefined && { goal: { atMost } }),
    });
  figure("share of attempts", bad.share("s0") * 100, "%");
  figure("p99 to fault-free", bad.p99Ms / fine.p99Ms, "x", 1.1);
  figure("p99 of three hosts alone to that of four", three.p99Ms / fine.p99Ms, "x");
}

/** Half of the hosts are three times as slow for good, and nearly all of their work is needed. */
function mixedHosts(lab: Lab): void {
  const servers = serversOf(4, 10).map((server, i) => {
    return { ...server, serviceMs: i < 2 ? 10 : 30 };
  });
  const trace = openLoop({ seed: "mixed", durationMs: 30_000, perSecond: 2_530, clients: 8 });
  const p99 = (choice: Choice): number =>
    replayFigures(play({ servers, trace, faults: [] }, choice), 10_000).p99Ms;
  lab.figure({
    name: "2 of 4 are 3x slower for good, 95 % busy: p99 to that by least loaded",
    value: p99({}) / p99({ picking: randomChoices(), measure: leastLoaded }),
    unit: "x",
    goal: { atMost: 1 },
  });
}

/** A pause of a second, as of a collector: how soon the host is trusted again. */
function frozenHost(lab: Lab): void {
  for (const clients of [1, 8]) {
    const run: Run = {
      servers: serversOf(4, 10),
      trace: openLoop({ seed: "frozen", durationMs: 90_000, perSecond: 1_600, clients }),
      faults: [{ kind: "frozen", server: "s0", fromMs: 5_000, toMs: 6_000 }],
    };
    const name = `frozen for 1 s, 1 of 4, ${clients} clients: full share after`;
    const back = secondsBack(play(run, {}), "s0", 4, 6_000);
    lab.figure({ name, value: back, unit: "s", goal: { atMost: 5 } });
  }
}

/** Four hosts: one slow, one failing, one frozen for a second, one well; then all are healed. */
function everyPolicy(lab: Lab): void {
  const [fromMs, toMs] = [5_000, 25_000];
  const run: Run = {
    servers: serversOf(4, 10),
    trace: openLoop({ seed: "four", durationMs: 40_000, perSecond: 600, clients: 8 }),
    faults: [
      { kind: "slow", server: "s0", fromMs, toMs, factor: 10 },
      { kind: "failing", server: "s1", fromMs, toMs, share: 1, afterMs: 1 },
      { kind: "frozen", server: "s2", fromMs: 15_000, toMs: 16_000 },
    ],
  };
  const bars: { name: string; value: number }[] = [];
  const row = (name: string, cells: readonly (string | number)[]): void => {
    const text = cells.map((cell) => {
      return (typeof cell === "number" ? cell.toFixed(2) : cell).padStart(12);
    });
    lab.say(`  ${name.padEnd(44)}${text.join("")}`);
  };
  lab.say("\n  four hosts: one 10x slow, one failing, one frozen for 1 s; 600/s from 8 clients");
  row("", ["slow %", "failing %", "failed %", "p99 ms", "healed p99"]);
  const judge = (name: string, played: Replay): void => {
    const bad = replayFigures(played, fromMs, toMs);
    const healed = replayFigures(played, toMs + 5_000);
    bars.push({ name, value: bad.p99Ms });
    row(name, [
      bad.share("s0") * 100,
      bad.share("s1") * 100,
      bad.failed * 100,
      bad.p99Ms,
      healed.p99Ms,
    ]);
  };
  for (const [name, choice] of Object.entries({ ...policies, ...barePolicies })) {
    judge(name, play(run, choice));
  }
  judge("queue per server, least loaded", replay({ ...run, caller: queued(run) }));
  lab.plot({
    kind: "bar",
    name: "policies-p99",
    title: "One slow, one failing, one frozen for a second, one well: p99 by policy",
    y: { label: "ms" },
    bars,
  });
}

function queued(run: Run) {
  const waitMsMax = 1_000;
  return (client: number): Caller => {
    const choice = { picking: fullScan(), measure: leastLoaded };
    const { balancer: own } = partsOf(run, choice, client);
    const queues = serverQueues<{ id: string; weight: number }, QueuedCall>({
      balancer: own,
      inFlightMax: 1,
      waitMsMax,
    });
    return queuedCaller({ queues, waitMsMax });
  };
}
