import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { coordinatorResolver, createServiceClient, type Resolver } from "tenfold/discovery";
import { createCoordinatorNode } from "tenfold/engines/coordinator-node";
import { connectEtcd } from "tenfold/engines/etcd";
import { openLoop } from "tenfold/simulation";

import { type MemberProcess, startMemberProcess } from "./support/balancing/member-processes.ts";
import { plainCaller } from "./support/balancing/plain-caller.ts";
import {
  type Answer,
  callsWithin,
  latencyOf,
  makeCalls,
  type SeenCall,
} from "./support/balancing/seen-calls.ts";
import { defineExperiment, type Lab } from "./support/experiment.ts";

const fleet = "r02";
const callsPerSecond = 150;
/** Seconds from the beginning: when the members are the same all the time, and the end. */
const steady = [6, 16] as const;
const endsAt = 34;

/**
 * Two ways to the same members at the same moments: a client that holds the list itself, and the
 * gateway in a process of its own. Members come and go by the members map alone.
 */
export const experiment = defineExperiment({
  id: "R2",
  title: "client-side balancing beside the gateway",
  claim:
    "A caller that holds the list of members needs no hop, so its calls take less time than " +
    "through the gateway; members that come and go under load are told to it by the members map " +
    "within a moment, and no call fails.",
  expectedMinutes: 0.7,
  async run(lab) {
    const site = await openSite(lab);
    const load = { durationMs: endsAt * 1_000, perSecond: callsPerSecond, clients: 1 };
    const began = performance.now();
    const since = (): number => performance.now() - began;
    const stop = new AbortController();
    const listing = watchList(site.resolver, since, stop.signal);
    const [changes, direct, hop] = await Promise.all([
      churn(site, since, lab.signal),
      makeCalls(openLoop({ ...load, seed: "direct" }), site.direct, since, lab.signal),
      makeCalls(openLoop({ ...load, seed: "gateway" }), site.hop, since, lab.signal),
    ]);
    stop.abort();
    judgeLatency(lab, direct, hop);
    judgeChanges(lab, direct, hop, changes, await listing);
    draw(lab, { "the client itself": direct, "through the gateway": hop }, changes);
  },
});

interface Site {
  readonly resolver: Resolver;
  readonly members: Map<string, MemberProcess>;
  direct(): Promise<Answer>;
  hop(): Promise<Answer>;
  add(id: string): Promise<void>;
}

/** A coordinator, three members, a gateway in a process of its own, and a caller of both ways. */
async function openSite(lab: Lab): Promise<Site> {
  const dataFolder = mkdtempSync(join(tmpdir(), "tenfold-r2-"));
  lab.atEnd(() => rmSync(dataFolder, { recursive: true, force: true }));
  const listen = { host: "127.0.0.1", port: 0 };
  const node = await createCoordinatorNode({ listen, dataFolder, token: undefined });
  lab.atEnd(() => node.close());
  const endpoint = `http://127.0.0.1:${node.address.port}`;
  const coordinator = connectEtcd({ endpoints: endpoint });
  lab.atEnd(() => coordinator.close());
  const resolver = coordinatorResolver(coordinator, { fleet });
  lab.atEnd(() => resolver.close());
  const start = async (role: "member" | "gateway", id: string): Promise<MemberProcess> => {
    const started = await startMemberProcess({ role, endpoint, fleet, id });
    lab.atEnd(() => started.end("SIGKILL"));
    return started;
  };
  const members = new Map<string, MemberProcess>();
  const add = async (id: string): Promise<void> => void members.set(id, await start("member", id));
  for (const id of ["work-1", "work-2", "work-3"]) await add(id);
  const gateway = plainCaller((await start("gateway", "gateway")).port);
  lab.atEnd(() => gateway.close());
  const client = createServiceClient("work", { resolver });
  lab.atEnd(() => client.close());
  return {
    resolver,
    members,
    add,
    async direct() {
      const reply = await client.request({ method: "GET", path: "/work" });
      return { status: reply.status, text: reply.text() };
    },
    hop: () => gateway.get("/work"),
  };
}

interface MemberChange {
  readonly kind: "added" | "ended" | "killed";
  readonly id: string;
  /** Since the beginning: when it asked to be listed, was told to end, or killed. */
  readonly atMs: number;
}

/** Two members more, then two are told to end, one is killed, and one comes back. */
async function churn(
  { members, add }: Site,
  since: () => number,
  signal: AbortSignal,
): Promise<readonly MemberChange[]> {
  const changes: MemberChange[] = [];
  const at = async (seconds: number, kind: MemberChange["kind"], id: string): Promise<void> => {
    await pause(Math.max(0, seconds * 1_000 - since()), undefined, { signal });
    if (kind === "added") await add(id);
    const agoMs = kind === "added" ? Date.now() - (members.get(id)?.askedAtMs ?? 0) : 0;
    changes.push({ kind, id, atMs: since() - agoMs });
    if (kind === "ended") await members.get(id)?.end("SIGTERM");
    if (kind === "killed") await members.get(id)?.end("SIGKILL");
  };
  await at(steady[1], "added", "work-4");
  await at(steady[1] + 3, "added", "work-5");
  await at(steady[1] + 6, "ended", "work-1");
  await at(steady[1] + 8, "ended", "work-2");
  await at(steady[1] + 10, "killed", "work-3");
  await at(steady[1] + 13, "added", "work-1");
  return changes;
}

/** Every list as the caller hears it, and when. */
async function watchList(resolver: Resolver, since: () => number, signal: AbortSignal) {
  const lists: { atMs: number; ids: ReadonlySet<string> }[] = [];
  for await (const endpoints of resolver.watch("work", { signal })) {
    lists.push({ atMs: since(), ids: new Set(endpoints.map(({ id }) => id)) });
  }
  return lists;
}

function judgeLatency(lab: Lab, direct: readonly SeenCall[], hop: readonly SeenCall[]): void {
  const [own, through] = [callsWithin(direct, steady), callsWithin(hop, steady)];
  for (const [name, share] of [
    ["median", 0.5],
    ["p99", 0.99],
  ] as const) {
    lab.figure({ name: `the client itself: ${name}`, value: latencyOf(own, share), unit: "ms" });
    const value = latencyOf(through, share);
    lab.figure({ name: `through the gateway: ${name}`, value, unit: "ms" });
  }
  lab.figure({
    name: "median of the client itself to that through the gateway",
    value: latencyOf(own, 0.5) / latencyOf(through, 0.5),
    unit: "x",
    goal: { atMost: 0.8 },
  });
}

function judgeChanges(
  lab: Lab,
  direct: readonly SeenCall[],
  hop: readonly SeenCall[],
  changes: readonly MemberChange[],
  lists: Awaited<ReturnType<typeof watchList>>,
): void {
  const failed = (calls: readonly SeenCall[]): number => calls.filter(({ ok }) => !ok).length;
  lab.figure({ name: "calls made", value: direct.length + hop.length, unit: "" });
  const none = { unit: "", goal: { equals: 0 } } as const;
  lab.figure({ name: "the client itself: failed calls", value: failed(direct), ...none });
  lab.figure({ name: "through the gateway: failed calls", value: failed(hop), ...none });
  for (const { kind, id, atMs } of changes) {
    const wanted = kind === "added";
    const heard = lists.find((list) => list.atMs > atMs && list.ids.has(id) === wanted);
    // Who is killed stays listed until its session ends; calls find it out before.
    const goal = kind === "killed" ? {} : { goal: { atMost: 1_000 } };
    lab.figure({
      name: `${id} ${kind}: until the caller's list says so`,
      value: (heard?.atMs ?? Number.NaN) - atMs,
      unit: "ms",
      ...goal,
    });
    if (!wanted) continue;
    const first = direct.find((call) => call.by === id && call.atMs > atMs);
    lab.figure({
      name: `${id} added: until its first call by the client`,
      value: (first?.atMs ?? Number.NaN) - atMs,
      unit: "ms",
      goal: { atMost: 2_000 },
    });
  }
}

function draw(
  lab: Lab,
  ways: Readonly<Record<string, readonly SeenCall[]>>,
  changes: readonly MemberChange[],
): void {
  const marks = changes.map(({ kind, id, atMs }) => {
    const sign = { added: "+", ended: "−", killed: "×" }[kind];
    return { x: atMs / 1_000, label: `${sign}${id.slice(-1)}` };
  });
  const seconds = Array.from({ length: endsAt - 2 }, (_, at) => at + 2);
  lab.plot({
    kind: "line",
    name: "latency",
    title: "Median latency while members come (+), end (−) and are killed (×)",
    x: { label: "seconds" },
    y: { label: "ms" },
    series: Object.entries(ways).map(([name, calls]) => ({
      name,
      points: seconds.map((at) => [at, latencyOf(callsWithin(calls, [at, at + 1]), 0.5)] as const),
    })),
    marks,
  });
  const direct = ways["the client itself"] ?? [];
  const ids = [...new Set(direct.filter(({ ok }) => ok).map(({ by }) => by))].sort();
  lab.plot({
    kind: "line",
    name: "members",
    title: "Who answers the client: members come (+), end (−) and are killed (×)",
    x: { label: "seconds" },
    y: { label: "calls/s" },
    series: ids.map((id) => ({
      name: id,
      points: seconds.map((at) => {
        const calls = callsWithin(direct, [at, at + 1]);
        return [at, calls.filter(({ by }) => by === id).length] as const;
      }),
    })),
    marks,
  });
}
