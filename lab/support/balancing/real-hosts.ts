import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { type Arrival, openLoop } from "tenfold/simulation";

import type { Lab } from "../experiment.ts";
import { plannedCallers, type RealCaller } from "./real-callers.ts";
import { callsWithin, latencyOf, makeCalls, quantile, type SeenCall } from "./seen-calls.ts";
import { startWorkHost, type WorkHost } from "./work-hosts.ts";

/** What is done to the hosts, by seconds from the beginning; all are well in between. */
export const realPhases = {
  /** After the slow start that every new host has. */
  well: [10, 20],
  failing: [20, 35],
  healed: [35, 40],
  /** Its second half has the same calls as `well`. */
  slow: [40, 60],
  frozen: [65, 70],
  allAtOnce: [70, 80],
  /** The same calls as `well`, begun with their second half. */
  wellAgain: [85, 95],
} as const satisfies Record<string, readonly [number, number]>;

export type RealPhase = keyof typeof realPhases;

export const realFaults = { slow: "s0", failing: "s1", frozen: "s2" } as const;

const freezeMs = 1_000;
/** Calls repeat every so many seconds, so that phases can be compared call by call. */
const cycleSeconds = 10;
const callsPerSecond = 200;
const workMs = 20;
const settings = { hosts: 4, places: 10 };

/** What one caller had of a span, in seconds from the beginning. */
export interface RealFigures {
  readonly p99Ms: number;
  /** Share of the calls. */
  readonly failed: number;
  readonly attemptsPerCall: number;
  /** Share of the attempts that reached a host. */
  share(host: string): number;
}

export interface RealRun {
  readonly callers: readonly string[];
  /** Of the work that the calls ask for, by itself. */
  readonly workP99Ms: number;
  figures(caller: string, span: readonly [fromSeconds: number, toSeconds: number]): RealFigures;
}

/**
 * Four processes with real sockets; every caller meets the same calls and the same faults at the
 * same moments: one host fails at once, heals, another is ten times slower, a third is stopped for
 * a second, then all of it together, and in the end all are well.
 */
export async function runRealHosts(lab: Lab): Promise<RealRun> {
  const folder = mkdtempSync(join(tmpdir(), "tenfold-r3-"));
  lab.atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const planned = await plannedCallers(folder, lab.say);
  const hosts: WorkHost[] = [];
  for (let host = 0; host < settings.hosts; host++) {
    const servers = { servers: planned.length, places: settings.places };
    const started = await startWorkHost(`s${host}`, servers);
    lab.atEnd(() => started.close());
    hosts.push(started);
  }
  const callers: RealCaller[] = [];
  for (const [at, each] of planned.entries()) {
    const caller = await each.open(hosts.map(({ ports }) => ports[at] as number));
    lab.atEnd(() => caller.close());
    callers.push(caller);
  }
  const trace = openLoop({
    seed: "real",
    durationMs: cycleSeconds * 1_000,
    perSecond: callsPerSecond,
    clients: 1,
  });
  const startedAtMs = Date.now();
  const began = performance.now();
  const since = (): number => performance.now() - began;
  const [seen] = await Promise.all([
    Promise.all(
      callers.map(({ call }) => {
        const work = ({ demand, key }: Arrival) => call(demand * workMs, key);
        return makeCalls(cycles(trace), work, since, lab.signal);
      }),
    ),
    disturb(hosts, since, lab.signal),
  ]);
  const counts = await Promise.all(hosts.map((host) => host.counts()));
  const names = callers.map(({ name }) => name);
  return {
    callers: names,
    workP99Ms: quantile(
      trace.map(({ demand }) => demand * workMs),
      0.99,
    ),
    figures(name, [from, to]) {
      const caller = names.indexOf(name);
      const attempts = counts.map((of) => {
        return of(caller, startedAtMs + from * 1_000, startedAtMs + to * 1_000);
      });
      return figuresOf(callsWithin(seen[caller] ?? [], [from, to]), attempts, hosts);
    },
  };
}

function figuresOf(
  calls: readonly SeenCall[],
  attempts: readonly number[],
  hosts: readonly WorkHost[],
): RealFigures {
  const all = attempts.reduce((sum, each) => sum + each, 0);
  return {
    p99Ms: latencyOf(calls, 0.99),
    failed: calls.filter(({ ok }) => !ok).length / calls.length,
    attemptsPerCall: all / calls.length,
    share: (id) => (attempts[hosts.findIndex((host) => host.id === id)] ?? 0) / all,
  };
}

/** The same calls in every cycle. */
function* cycles(trace: readonly Arrival[]): Generator<Arrival> {
  const [, end] = realPhases.wellAgain;
  for (let from = 0; from < end; from += cycleSeconds) {
    for (const arrival of trace) yield { ...arrival, atMs: from * 1_000 + arrival.atMs };
  }
}

async function disturb(
  hosts: readonly WorkHost[],
  since: () => number,
  signal: AbortSignal,
): Promise<void> {
  const host = (id: string): WorkHost => hosts.find((each) => each.id === id) as WorkHost;
  const at = async (seconds: number, act: () => unknown): Promise<void> => {
    await pause(Math.max(0, seconds * 1_000 - since()), undefined, { signal });
    await act();
  };
  const { slow, failing, frozen } = realFaults;
  const { allAtOnce, failing: fails, slow: slows, frozen: freezes } = realPhases;
  await at(fails[0], () => host(failing).behave("failing"));
  await at(fails[1], () => host(failing).behave("well"));
  await at(slows[0], () => host(slow).behave("slow"));
  await at(slows[1], () => host(slow).behave("well"));
  await at(freezes[0], () => host(frozen).freeze(freezeMs));
  await at(allAtOnce[0], () => {
    host(failing).behave("failing");
    host(slow).behave("slow");
  });
  await at(allAtOnce[0] + 4, () => host(frozen).freeze(freezeMs));
  await at(allAtOnce[1], () => {
    host(failing).behave("well");
    host(slow).behave("well");
  });
}
