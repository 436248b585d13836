import type { Coordinator } from "tenfold/coordination";
import { isTenfoldError } from "tenfold/runtime";
import { type EtcdCluster, type EtcdMember, startEtcdCluster } from "tenfold/testing";

import { fetchEngines, findEngine, whyMissing } from "../tools/engines/index.ts";
import { connect } from "./support/coordination/engines.ts";
import { defineExperiment, type Lab } from "./support/experiment.ts";

const rounds = { small: 8, full: 60 };
const writers = 6;
const callTimeoutMs = 250;
const electionMs = 250;
const heartbeatMs = 50;
const minorityMs = 3_000;
const patienceMs = 30_000;
const prefix = "/lab/r09/";

/** Three real etcd servers under writes: the leader killed again and again, then two of three. */
export const experiment = defineExperiment({
  id: "R9",
  title: "a quorum that loses one server, then two",
  claim:
    "When one of three servers is killed, writes resume within a second; when two are, none is " +
    "acknowledged and what is known can still be read; no acknowledged write is ever lost.",
  expectedMinutes: 1,
  async run(lab) {
    const cluster = await startQuorum(lab);
    const addresses = cluster.members.map(({ address }) => address);
    const clients = Array.from({ length: writers }, () => connect(addresses));
    const reader = connect(addresses);
    for (const client of [...clients, reader]) lab.atEnd(() => client.close());
    const load = startWriters(clients);
    lab.atEnd(() => load.stop());
    const map = follow(reader);
    lab.atEnd(() => map.stop());
    await load.goesOn();

    const gaps: number[] = [];
    const wanted = lab.full ? rounds.full : rounds.small;
    for (let round = 0; round < wanted && !lab.signal.aborted; round++) {
      const victim = await cluster.leader();
      const killedAt = performance.now();
      await victim.kill();
      gaps.push((await load.nextBegunAfter(killedAt)) - killedAt);
      await victim.restart();
      await cluster.leader();
      await load.goesOn();
    }
    gaps.sort((a, b) => a - b);
    const p99 = gaps[Math.ceil(gaps.length * 0.99) - 1] as number;
    const { figure } = lab;
    figure({ name: "leaders killed", value: gaps.length, unit: "" });
    figure({ name: "writes resume, median", value: gaps[gaps.length >> 1] as number, unit: "ms" });
    figure({ name: "writes resume, p99", value: p99, unit: "ms", goal: { atMost: 1_000 } });
    await loseMajority(lab, cluster, load, reader);
    await load.stop();
    const lost = await load.lost(reader);
    figure({ name: "writes acknowledged", value: load.acknowledged(), unit: "" });
    figure({ name: "acknowledged writes lost", value: lost, unit: "", goal: { equals: 0 } });
    const behind = await map.behind(reader);
    figure({ name: "map states lost by a watch", value: behind, unit: "", goal: { equals: 0 } });
    lab.plot({
      kind: "bar",
      name: "quorum",
      title: "From the kill of the leader to the next acknowledged write",
      y: { label: "ms" },
      bars: gaps.slice(-20).map((value, i) => ({ name: `${i + 1}`, value })),
      goal: 1_000,
    });
  },
});

async function startQuorum(lab: Lab): Promise<EtcdCluster> {
  await fetchEngines(["etcd"], lab.say);
  const engine = findEngine("etcd");
  if (engine === undefined) throw new Error(whyMissing("etcd"));
  const cluster = await startEtcdCluster({ program: engine.program, electionMs, heartbeatMs });
  lab.atEnd(() => cluster.close());
  return cluster;
}

type Load = ReturnType<typeof startWriters>;

async function loseMajority(
  lab: Lab,
  cluster: EtcdCluster,
  load: Load,
  reader: Coordinator,
): Promise<void> {
  const dead = cluster.members.slice(0, 2) as [EtcdMember, EtcdMember];
  await Promise.all(dead.map((member) => member.kill()));
  // What was called before may still be answered.
  await pause(callTimeoutMs);
  const since = performance.now();
  let [reads, refusedReads] = [0, 0];
  while (performance.now() - since < minorityMs) {
    const entry = await reader
      .get(`${prefix}0`, { reads: "stale", timeoutMs: 500 })
      .catch(() => undefined);
    if (entry === undefined) refusedReads++;
    else reads++;
    await pause(20);
  }
  const acknowledged = load.begunAfter(since);
  await Promise.all(dead.map((member) => member.restart()));
  const backAt = performance.now();
  const resumedMs = (await load.nextBegunAfter(backAt)) - backAt;
  const { figure } = lab;
  const none = { equals: 0 };
  figure({ name: "acknowledged by one of three", value: acknowledged, unit: "", goal: none });
  figure({ name: "stale reads answered by it", value: reads, unit: "", goal: { atLeast: 10 } });
  figure({ name: "stale reads that failed meanwhile", value: refusedReads, unit: "" });
  figure({ name: "writes resume with a majority", value: resumedMs, unit: "ms" });
}

/** Each counts up under a key of its own. */
function startWriters(clients: readonly Coordinator[]) {
  const acknowledged = clients.map(() => 0);
  /** Of acknowledged calls: when they began and ended. */
  const calls: { readonly begun: number; readonly ended: number }[] = [];
  const stop = new AbortController();
  const write = async (client: Coordinator, i: number): Promise<void> => {
    for (let value = 1; !stop.signal.aborted; value++) {
      const begun = performance.now();
      const change = [{ put: `${prefix}${i}`, value: String(value) }];
      const result = await client
        .transact({ change }, { timeoutMs: callTimeoutMs })
        .catch((error: unknown) => {
          if (!isTenfoldError(error, "TENFOLD_COORDINATION_UNAVAILABLE")) throw error;
        });
      if (result?.outcome !== "applied") continue;
      acknowledged[i] = value;
      calls.push({ begun, ended: performance.now() });
      await pause(1);
    }
  };
  const running = Promise.all(clients.map(write));
  const begunAfter = (at: number) => calls.filter(({ begun }) => begun > at);
  const nextBegunAfter = async (at: number): Promise<number> => {
    const deadline = performance.now() + patienceMs;
    for (let from = Math.max(0, calls.length - 50); ; await pause(1)) {
      const found = calls.slice(from).find(({ begun }) => begun > at);
      if (found !== undefined) return found.ended;
      from = Math.max(0, calls.length - 50);
      if (performance.now() > deadline) throw new Error("writes did not resume");
    }
  };
  return {
    acknowledged: () => calls.length,
    begunAfter: (at: number) => begunAfter(at).length,
    nextBegunAfter,
    /** Every writer is acknowledged again. */
    async goesOn(): Promise<void> {
      const before = [...acknowledged];
      const deadline = performance.now() + patienceMs;
      while (acknowledged.some((value, i) => value <= (before[i] as number))) {
        if (performance.now() > deadline) throw new Error("a writer stands still");
        await pause(5);
      }
    },
    async stop(): Promise<void> {
      stop.abort();
      await running;
    },
    async lost(reader: Coordinator): Promise<number> {
      const { entries } = await reader.list(prefix, { timeoutMs: 10_000 });
      const stored = new Map(entries.map(({ key, value }) => [key, Number(value)]));
      return acknowledged.filter((value, i) => (stored.get(`${prefix}${i}`) ?? 0) < value).length;
    },
  };
}

function follow(reader: Coordinator) {
  const map = new Map<string, bigint>();
  const stop = new AbortController();
  const running = (async () => {
    for await (const { changes } of reader.watch(prefix, { signal: stop.signal })) {
      for (const change of changes) {
        if (change.kind === "put") map.set(change.entry.key, change.entry.revision);
        else map.delete(change.key);
      }
    }
  })();
  return {
    /** Keys that the map has otherwise than the servers, when it had time to hear of them. */
    async behind(client: Coordinator): Promise<number> {
      const { entries } = await client.list(prefix, { timeoutMs: 10_000 });
      const wrong = (): number =>
        entries.filter(({ key, revision }) => map.get(key) !== revision).length;
      const deadline = performance.now() + patienceMs;
      while (wrong() > 0 && performance.now() < deadline) await pause(5);
      return wrong();
    },
    async stop(): Promise<void> {
      stop.abort();
      await running;
    },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
