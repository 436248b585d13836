import { describe, expect, it } from "vitest";

import { balancer } from "../balancing/balancer.ts";
import type { BalancerOptions } from "../balancing/balancer-options.ts";
import type { Candidate } from "../balancing/candidate.ts";
import { leastLoaded } from "../balancing/least-loaded.ts";
import { roundRobin } from "../balancing/round-robin.ts";
import { serverQueues } from "../balancing/server-queues.ts";
import { retryBudget } from "../resilience/retry-budget.ts";
import { seededRandom } from "../runtime/random.ts";
import { balancedCaller } from "./balanced-caller.ts";
import { openLoop } from "./open-loop.ts";
import { type QueuedCall, queuedCaller } from "./queued-caller.ts";
import { type Caller, type Line, type ReplayOptions, replay } from "./replay.ts";
import { replayFigures } from "./replay-figures.ts";
import type { Fault, ServerSpec } from "./server-model.ts";

const server = (id: string, slots = 4): ServerSpec => {
  return { id, slots, queueMax: 100, serviceMs: 10 };
};
const servers = ["a", "b", "c", "d"].map((id) => server(id));
const callerWith =
  (options: Partial<BalancerOptions> = {}, seed = "clients") =>
  (client: number): Caller => {
    const choice = balancer({ random: seededRandom(`${seed}/${client}`), ...options });
    choice.update(servers.map(({ id }) => ({ id, weight: 1 })));
    return balancedCaller({ balancer: choice });
  };
const trace = openLoop({ seed: "trace", durationMs: 5_000, perSecond: 800, clients: 5 });
const failing: Fault = {
  kind: "failing",
  server: "b",
  fromMs: 1_000,
  toMs: 3_000,
  share: 1,
  afterMs: 1,
};

describe("a replay", () => {
  it("gives the same picks for the same seed and trace, and others for another seed", () => {
    const run = (seed: string) =>
      replay({ trace, servers, faults: [failing], caller: callerWith({}, seed) });
    expect(run("x").picks).toEqual(run("x").picks);
    expect(run("x").picks).not.toEqual(run("y").picks);
  });

  it("ends every call, and counts what the callers saw", () => {
    const run = replay({ trace, servers, faults: [failing], caller: callerWith() });
    expect(run.calls.every(({ endMs }) => endMs > 0)).toBe(true);
    const figures = replayFigures(run);
    expect(figures.calls).toBe(trace.length);
    expect(figures.failed).toBe(0);
    expect(figures.attemptsPerCall).toBeGreaterThan(1);
    expect(figures.attemptsPerCall).toBe(run.picks.length / trace.length);
    const shares = servers.map(({ id }) => figures.share(id));
    expect(shares.reduce((sum, share) => sum + share)).toBeCloseTo(1);
  });

  it("plays any policy objects: a retry budget bounds the attempts", () => {
    const dead = servers.map(({ id }): Fault => ({ ...failing, server: id }));
    const caller = (client: number): Caller => {
      const choice = balancer({ random: seededRandom(`budget/${client}`) });
      choice.update(servers.map(({ id }) => ({ id, weight: 1 })));
      const budget = retryBudget({ ratio: 0.1, reservePerSecond: 0 });
      return balancedCaller({ balancer: choice, retryBudget: budget });
    };
    const run = replay({ trace, servers, faults: dead, caller });
    const outage = replayFigures(run, 1_000, 3_000);
    expect(outage.failed).toBeGreaterThan(0.8);
    expect(replayFigures(run).attemptsPerCall).toBeLessThanOrEqual(1.1);
  });
});

it("a client does not wait for a slow server that it asks again", () => {
  const slow: Fault = { kind: "slow", server: "b", fromMs: 0, toMs: 60_000, factor: 20 };
  const busy = openLoop({ seed: "slow", durationMs: 30_000, perSecond: 400, clients: 1 });
  const { calls, picks } = replay({ trace: busy, servers, faults: [slow], caller: callerWith() });
  const asked = picks.filter(({ server, atMs }) => server === "b" && atMs > 10_000);
  expect(asked.length).toBeGreaterThan(10);
  // Twice the mean there, and an answer of a server that is well.
  const waits = asked.map(({ call }) => {
    const { arrival, attempts, endMs, ok } = calls[call] as (typeof calls)[0];
    return { attempts, ok, isLong: endMs - arrival.atMs > 150 };
  });
  expect(new Set(waits.map(({ isLong }) => isLong))).toEqual(new Set([false]));
  expect(waits.filter(({ attempts }) => attempts === 2).length).toBeGreaterThan(10);
});

it("a client with queues keeps each server to its limit, and ends every call", () => {
  const one = openLoop({ seed: "queued", durationMs: 3_000, perSecond: 500, clients: 1 });
  const busy = new Map<string, number>();
  let most = 0;
  const caller = (): Caller => {
    const own = balancer({ random: seededRandom("queued") });
    own.update(servers.map(({ id }) => ({ id, weight: 1 })));
    const options = { balancer: own, inFlightMax: 2, waitMsMax: 50 };
    const queues = serverQueues<Candidate, QueuedCall>(options);
    const inner = queuedCaller({ queues, waitMsMax: 50 });
    const counting = (line: Line): Line => ({
      ...line,
      send(id, answered) {
        busy.set(id, (busy.get(id) ?? 0) + 1);
        most = Math.max(most, busy.get(id) as number);
        line.send(id, (ok) => {
          busy.set(id, (busy.get(id) as number) - 1);
          answered(ok);
        });
      },
    });
    return { call: (arrival, line) => inner.call(arrival, counting(line)) };
  };
  const run = replay({ trace: one, servers, faults: [failing], caller });
  expect(run.calls.every(({ endMs }) => endMs > 0)).toBe(true);
  expect(most).toBe(2);
  const figures = replayFigures(run);
  expect(figures.failed).toBeLessThan(0.2);
  expect(figures.p99Ms).toBeLessThan(200);
});

describe("a server model", () => {
  /** When each of the calls at 0, 1, 2, … ms is over, with demand 1 and no time on the wire. */
  const ends = (count: number, options: Partial<ReplayOptions>) => {
    const calls = Array.from({ length: count }, (_, i) => {
      return { atMs: i, client: 0, demand: 1, key: "" };
    });
    const caller = (): Caller => ({
      call: (_arrival, line) => line.send("s", (ok) => line.end(ok)),
    });
    const run = replay({ servers: [], caller, wireMs: () => 0, ...options, trace: calls });
    return run.calls.map(({ endMs, ok }) => (ok ? endMs : `failed at ${endMs}`));
  };

  it("serves as many as it has slots, lets others wait, and refuses beyond that", () => {
    const spec = { id: "s", slots: 2, queueMax: 1, serviceMs: 10 };
    expect(ends(4, { servers: [spec] })).toEqual([10, 11, 20, "failed at 3"]);
  });

  it("takes longer while it is slow", () => {
    const slow: Fault = { kind: "slow", server: "s", fromMs: 1, toMs: 2, factor: 10 };
    expect(ends(3, { servers: [server("s")], faults: [slow] })).toEqual([10, 101, 12]);
  });

  it("stands still while it is frozen, with what is under way and what comes", () => {
    const frozen: Fault = { kind: "frozen", server: "s", fromMs: 1.5, toMs: 101.5 };
    expect(ends(3, { servers: [server("s")], faults: [frozen] })).toEqual([110, 111, 111.5]);
  });

  it("fails at once for its time, by its share", () => {
    const bad: Fault = { ...failing, server: "s", fromMs: 1, toMs: 2 };
    expect(ends(3, { servers: [server("s")], faults: [bad] })).toEqual([10, "failed at 2", 12]);
    expect(ends(3, { servers: [server("s")], faults: [{ ...bad, share: 0 }] })[1]).toBe(11);
  });
});

it("the open loop has the rate, the clients and the mean demand it was told", () => {
  const calls = openLoop({ seed: "o", durationMs: 20_000, perSecond: 500, clients: 3 });
  expect(calls.length / 10_000).toBeCloseTo(1, 1);
  expect(new Set(calls.map(({ client }) => client))).toEqual(new Set([0, 1, 2]));
  const demand = calls.reduce((sum, call) => sum + call.demand, 0) / calls.length;
  expect(demand).toBeCloseTo(1, 1);
});

describe("what the harness shows of balancing", () => {
  const shareOfFailing = (options: Partial<BalancerOptions>): number => {
    const forever: Fault = { ...failing, toMs: 60_000 };
    const run = replay({ trace, servers, faults: [forever], caller: callerWith(options) });
    return replayFigures(run, 1_500).share("b");
  };

  it("a failing host gets next to nothing with every policy, by ejection", () => {
    expect(shareOfFailing({})).toBeLessThan(0.01);
    expect(shareOfFailing({ picking: roundRobin(), measure: leastLoaded })).toBeLessThan(0.01);
  });

  it("and a third or more where ejection is off", () => {
    const off = { failuresMax: 1_000_000, rateSamplesMin: 10_000, measure: leastLoaded };
    expect(shareOfFailing(off)).toBeGreaterThan(0.3);
  });
});
