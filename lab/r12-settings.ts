import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { connectEtcd } from "tenfold/engines/etcd";
import { type SettingsAdmin, settingsAdmin } from "tenfold/flags";
import { startEtcdCluster } from "tenfold/testing";

import { findEngine, whyMissing } from "../tools/engines/index.ts";
import { defineExperiment, type Lab } from "./support/experiment.ts";
import type { SeenValue, WatcherSettings } from "./support/settings/watcher-process.fixture.ts";

const fleet = "r12";
const processCount = 8;
const watchersEach = 125;
const watchers = processCount * watchersEach;
/** The first changes also warm code up that a process which runs for days has warm. */
const warmUps = 20;
const rounds = 200;
const pauseMs = 40;

/**
 * Changes a setting again and again while 1,000 watchers in eight processes follow it, over the
 * embedded coordinator and over etcd with one and three nodes. Time is the machine's monotonic
 * clock, from before the change is asked for until a watcher has the new value parsed and checked.
 */
export const experiment = defineExperiment({
  id: "R12",
  title: `settings: a change seen by ${watchers} watchers in ${processCount} processes`,
  claim:
    "A change of a setting reaches every process within 50 ms at the 99th percentile, without a " +
    "restart, and none misses the last one; undo is one call.",
  expectedMinutes: 1.5,
  async run(lab) {
    const series: { name: string; points: [number, number][] }[] = [];
    for (const { name, open } of grounds) {
      const endpoints = await open(lab);
      const seen = await measure(lab, endpoints);
      judge(lab, name, seen);
      series.push({ name, points: distribution(seen.afterCallMs) });
    }
    lab.plot({
      kind: "line",
      name: "propagation",
      title: `A settings change until ${watchers} watchers have it`,
      x: { label: "share of watchers, %" },
      y: { label: "ms" },
      series,
    });
  },
});

const grounds: readonly { name: string; open(lab: Lab): Promise<string> }[] = [
  { name: "embedded", open: embedded },
  { name: "etcd, 1 node", open: (lab) => etcd(lab, 1) },
  { name: "etcd, 3 nodes", open: (lab) => etcd(lab, 3) },
];

async function embedded(lab: Lab): Promise<string> {
  const { child, message } = await started("./support/settings/coordinator-process.fixture.ts", {});
  lab.atEnd(() => end(child));
  return `etcd://127.0.0.1:${String(message)}`;
}

async function etcd(lab: Lab, nodes: number): Promise<string> {
  const engine = findEngine("etcd");
  if (engine === undefined) throw new Error(whyMissing("etcd"));
  const hosts = Array.from({ length: nodes }, () => "127.0.0.1");
  const cluster = await startEtcdCluster({ program: engine.program, hosts });
  lab.atEnd(() => cluster.close());
  return cluster.endpoints;
}

interface Seen {
  /** Of every watcher and round: since the change was asked for, and since it was acknowledged. */
  readonly afterCallMs: readonly number[];
  readonly afterAnswerMs: readonly number[];
  /** Watchers that did not have the last value within the time that was given. */
  readonly missed: number;
  readonly undoneMs: number;
  /** Watchers that the undo did not reach in that time. */
  readonly notUndone: number;
}

async function measure(lab: Lab, endpoints: string): Promise<Seen> {
  const coordinator = connectEtcd({ endpoints });
  const admin = settingsAdmin({ coordinator, fleet });
  const arrivals = new Map<number, number[]>();
  const settings: WatcherSettings = { endpoints, fleet, watchers: watchersEach };
  const children: ChildProcess[] = [];
  try {
    for (let index = 0; index < processCount; index++) {
      const env = { WATCHER: JSON.stringify(settings) };
      // Its first message says that all of its watchers know the first value.
      const { child } = await started("./support/settings/watcher-process.fixture.ts", env);
      child.on("message", ({ round, atNs }: SeenValue) => {
        arrivals.set(round, [...(arrivals.get(round) ?? []), ...atNs]);
      });
      children.push(child);
    }
    await until(lab, async () => (await admin.list()).length === 1);
    return await changes(lab, admin, arrivals);
  } finally {
    await Promise.all(children.map(end));
    await coordinator.close();
  }
}

async function changes(
  lab: Lab,
  admin: SettingsAdmin,
  arrivals: ReadonlyMap<number, readonly number[]>,
): Promise<Seen> {
  const [name, by] = ["lab.round", "the experiment"];
  const afterCallMs: number[] = [];
  const afterAnswerMs: number[] = [];
  for (let round = 1; round <= warmUps + rounds; round++) {
    const askedNs = nowNs();
    await admin.set({ name, value: round, by });
    const answeredNs = nowNs();
    await allSeen(lab, arrivals, round);
    if (round <= warmUps) continue;
    for (const atNs of arrivals.get(round) ?? []) {
      afterCallMs.push((atNs - askedNs) / 1e6);
      afterAnswerMs.push(Math.max(0, (atNs - answeredNs) / 1e6));
    }
    await pause(lab, pauseMs);
  }
  const last = warmUps + rounds;
  const missed = watchers - (arrivals.get(last)?.length ?? 0);
  const before = arrivals.get(last - 1)?.length ?? 0;
  const askedNs = nowNs();
  await admin.undo({ name, by });
  const notUndone = (): number => before + watchers - (arrivals.get(last - 1)?.length ?? 0);
  await until(lab, () => notUndone() <= 0);
  const undoneMs = (nowNs() - askedNs) / 1e6;
  return { afterCallMs, afterAnswerMs, missed, undoneMs, notUndone: notUndone() };
}

function allSeen(
  lab: Lab,
  arrivals: ReadonlyMap<number, readonly number[]>,
  round: number,
): Promise<void> {
  return until(lab, () => (arrivals.get(round)?.length ?? 0) >= watchers);
}

/** Gives up after five seconds: what is missing then is counted. */
async function until(lab: Lab, check: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!(await check()) && performance.now() < deadline) await pause(lab, 1);
}

function judge(lab: Lab, ground: string, seen: Seen): void {
  const ms = (name: string, value: number, goal?: { atMost: number }) =>
    lab.figure({ name: `${ground}: ${name}`, value, unit: "ms", ...(goal && { goal }) });
  ms("seen after it was asked for, p50", quantile(seen.afterCallMs, 0.5));
  ms("seen after it was asked for, p99", quantile(seen.afterCallMs, 0.99), { atMost: 50 });
  ms("seen after it was asked for, worst", quantile(seen.afterCallMs, 1));
  ms("seen after it was acknowledged, p99", quantile(seen.afterAnswerMs, 0.99));
  ms("undone everywhere", seen.undoneMs);
  const observations = { unit: "", value: seen.afterCallMs.length };
  lab.figure({
    name: `${ground}: values seen`,
    ...observations,
    goal: { equals: watchers * rounds },
  });
  const missed = { unit: "", value: seen.missed };
  lab.figure({ name: `${ground}: watchers that missed the last`, ...missed, goal: { equals: 0 } });
  const notUndone = { unit: "", value: seen.notUndone };
  lab.figure({ name: `${ground}: watchers that undo missed`, ...notUndone, goal: { equals: 0 } });
}

function distribution(values: readonly number[]): [number, number][] {
  return Array.from({ length: 100 }, (_, index) => [index, quantile(values, index / 100)]);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

function nowNs(): number {
  return Number(process.hrtime.bigint());
}

function pause(lab: Lab, ms: number): Promise<void> {
  lab.signal.throwIfAborted();
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function started(
  file: string,
  env: Readonly<Record<string, string>>,
): Promise<{ child: ChildProcess; message: unknown }> {
  const program = fileURLToPath(new URL(file, import.meta.url));
  const child = fork(program, { env: { ...process.env, ...env } });
  const [message] = await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => {
      throw new Error(`${file} ended with ${code} before it was ready`);
    }),
  ]);
  return { child, message };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.disconnect();
  await exited;
}
