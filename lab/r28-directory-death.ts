import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";

import type { Coordinator } from "tenfold/coordination";
import { createCoordinatorNode } from "tenfold/engines/coordinator-node";
import { connectEtcd } from "tenfold/engines/etcd";
import {
  type DirectoryClient,
  type DirectoryEntry,
  decodeDirectoryEntry,
  directory,
  directoryClient,
  encodeDirectoryEntry,
  evenSlotMap,
  type MoveStep,
  type ShardGuard,
  shardGuard,
  steppedEntry,
} from "tenfold/partitioning";
import { isTenfoldError, seededRandom } from "tenfold/runtime";

import { defineExperiment, type Lab } from "./support/experiment.ts";

const owners = 20_000;
const movedOwners = 2_000;
const movesLater = 100;
const phaseMs = 1_200;
const bucketMs = 100;
const folder = "/tenfold/lab/placement/mail/keys/";
const base = evenSlotMap(["mail-0", "mail-1", "mail-2"]);
const baseNow = (): typeof base => base;

if (process.argv[2] === "serve-directory") await serveDirectory(process.argv[3] as string);

/** A directory in a process of its own, which is killed while clients route by it. */
export const experiment = defineExperiment({
  id: "R28",
  title: "placement by a directory, and the directory's death",
  claim:
    "With the directory killed, clients old and new find every key, none fails and none reads a " +
    "stale value; only moves stop, and go on when it is back.",
  expectedMinutes: 0.2,
  async run(lab) {
    const dataFolder = mkdtempSync(join(tmpdir(), "tenfold-lab-directory-"));
    lab.atEnd(() => rmSync(dataFolder, { recursive: true, force: true }));
    let server = await startDirectory(dataFolder, 0);
    lab.atEnd(() => kill(server.child));
    const coordinator = connectEtcd({ endpoints: `http://127.0.0.1:${server.port}` });
    lab.atEnd(() => coordinator.close());
    const shards = createShards();
    const mover = createMover(coordinator, shards);
    await mover.moveAway(movedOwners);
    const load = createLoad(shards);
    const stopWatch = new AbortController();
    lab.atEnd(() => stopWatch.abort());
    const old = load.addClient();
    await hear(coordinator, old, stopWatch.signal);

    await load.run(phaseMs);
    const alive = load.totals();
    await kill(server.child);
    load.mark("killed; a new client comes");
    const newcomer = load.addClient();
    load.restartHops();
    // Often enough that both clients have surely met every owner.
    await load.run(phaseMs, 2 * 15 * owners);
    const refused = await mover.move("1").then(
      () => 0,
      (error: unknown) => Number(isTenfoldError(error, "TENFOLD_COORDINATION_UNAVAILABLE")),
    );
    load.restartHops();
    await load.run(phaseMs);
    const dead = load.totals();
    const warm = load.hopShare();

    server = await startDirectory(dataFolder, server.port);
    load.mark("back");
    await hear(coordinator, newcomer, stopWatch.signal);
    await Promise.all([load.run(phaseMs), mover.moveSome(movesLater)]);
    await load.run(bucketMs);
    const total = load.totals();

    const { figure } = lab;
    const none = { equals: 0 };
    figure({ name: "calls while it lived", value: alive.served, unit: "" });
    figure({
      name: "calls while it was dead",
      value: dead.served - alive.served,
      unit: "",
      goal: { atLeast: 1_000 },
    });
    figure({ name: "calls that failed", value: total.failed, unit: "", goal: none });
    figure({ name: "stale reads", value: total.stale, unit: "", goal: none });
    figure({
      name: "most hops too many of one call, nothing moving",
      value: dead.hopsMax,
      unit: "",
      goal: { atMost: 1 },
    });
    figure({
      name: "calls with a hop too many once warm, dead",
      value: warm * 100,
      unit: "%",
      goal: { atMost: 0.1 },
    });
    figure({
      name: "moves refused while it was dead, of 1",
      value: refused,
      unit: "",
      goal: { equals: 1 },
    });
    figure({
      name: "keys moved under load when it was back",
      value: mover.moved - movedOwners,
      unit: "",
      goal: { equals: movesLater },
    });
    figure({
      name: "longest wait of a call for a key on the move",
      value: total.waitMsMax,
      unit: "ms",
    });
    drawHops(lab, load);
  },
});

type Shards = ReturnType<typeof createShards>;

function createShards() {
  const guards = new Map<string, ShardGuard>();
  const data = new Map<string, Map<string, number>>();
  for (const shard of base.shards) {
    guards.set(shard, shardGuard({ shard, base: baseNow }));
    data.set(shard, new Map());
  }
  return {
    guard: (shard: string): ShardGuard => guards.get(shard) as ShardGuard,
    rows: (shard: string): Map<string, number> => data.get(shard) as Map<string, number>,
  };
}

/** Moves single keys by the steps of an entry, each one stored by compare-and-set first. */
function createMover(coordinator: Coordinator, shards: Shards) {
  const defaults = directory({ base: baseNow });
  let moved = 0;
  const tell = (entry: DirectoryEntry, from: string): void => {
    for (const shard of new Set([entry.shard, from, base.shardOfKey(entry.key)])) {
      shards.guard(shard).apply(entry);
    }
  };
  const step = async (key: string, what: MoveStep): Promise<DirectoryEntry> => {
    const path = `${folder}${key}`;
    const found = await coordinator.get(path, { timeoutMs: 500 });
    const entry = found === undefined ? defaults.find(key) : decodeDirectoryEntry(found.value);
    const next = steppedEntry(entry, what);
    const condition = found
      ? { key: path, revision: found.revision }
      : { key: path, is: "absent" as const };
    const change = [{ put: path, value: encodeDirectoryEntry(next) }];
    const { outcome } = await coordinator.transact({ when: [condition], change });
    if (outcome !== "applied") throw new Error(`a step of ${key} was ${outcome}`);
    return next;
  };
  const move = async (key: string): Promise<void> => {
    const { shard } = await step(key, { kind: "copy", to: another(base.shardOfKey(key)) });
    await step(key, { kind: "catch-up" });
    shards.guard(shard).apply(await step(key, { kind: "fence" }));
    const value = shards.rows(shard).get(key);
    const entry = await step(key, { kind: "commit" });
    if (value !== undefined) shards.rows(entry.shard).set(key, value);
    tell(entry, shard);
    moved += 1;
  };
  return {
    get moved() {
      return moved;
    },
    move,
    /** Keys that moved before anybody called. */
    async moveAway(count: number): Promise<void> {
      const entries = Array.from({ length: count }, (_, i): DirectoryEntry => {
        const key = String(i * 10);
        return { key, shard: another(base.shardOfKey(key)), epoch: 1, state: "active" };
      });
      for (let at = 0; at < count; at += 100) {
        const change = entries
          .slice(at, at + 100)
          .map((entry) => ({ put: `${folder}${entry.key}`, value: encodeDirectoryEntry(entry) }));
        await coordinator.transact({ change });
      }
      for (const entry of entries) tell(entry, base.shardOfKey(entry.key));
      moved = count;
    },
    async moveSome(count: number): Promise<void> {
      for (let i = 0; i < count; i++) await move(String(i * 10 + 5));
    },
  };
}

function createLoad(shards: Shards) {
  const random = seededRandom("r28");
  const clients: DirectoryClient[] = [];
  const written = new Map<string, number>();
  const waiting: { client: DirectoryClient; key: string; since: number }[] = [];
  const hops: [number, number][] = [];
  const marks: { x: number; label: string }[] = [];
  const total = { served: 0, failed: 0, stale: 0, hopsMax: 0, waitMsMax: 0 };
  const part = { calls: 0, hops: 0 };
  const started = performance.now();

  /** False when nobody serves the key at this moment. */
  const call = (client: DirectoryClient, key: string): boolean => {
    let { shard, epoch } = client.route(key);
    for (let hop = 0; hop < 8; hop++) {
      const answer = shards.guard(shard).check(key, epoch);
      if (answer.kind === "wait") return false;
      if (answer.kind === "here") {
        const rows = shards.rows(shard);
        if (rows.get(key) !== written.get(key)) total.stale += 1;
        const value = total.served;
        rows.set(key, value);
        written.set(key, value);
        total.served += 1;
        total.hopsMax = Math.max(total.hopsMax, hop);
        part.calls += 1;
        if (hop > 0) part.hops += 1;
        return true;
      }
      client.learn(answer.entry);
      ({ shard, epoch } = answer.entry);
    }
    total.failed += 1;
    return true;
  };
  const retry = (): void => {
    for (const each of waiting.splice(0)) {
      const tookMs = performance.now() - each.since;
      if (!call(each.client, each.key)) waiting.push(each);
      else total.waitMsMax = Math.max(total.waitMsMax, tookMs);
    }
  };
  const slice = (): void => {
    retry();
    for (const client of clients) {
      for (let i = 0; i < 200; i++) {
        const key = String(random.below(owners));
        if (!call(client, key)) waiting.push({ client, key, since: performance.now() });
      }
    }
  };
  return {
    hops,
    marks,
    totals: () => ({ ...total, failed: total.failed + waiting.length }),
    restartHops: () => void Object.assign(part, { calls: 0, hops: 0 }),
    hopShare: () => part.hops / part.calls,
    mark: (label: string) => void marks.push({ x: (performance.now() - started) / 1_000, label }),
    addClient(): DirectoryClient {
      const client = directoryClient({ base: baseNow });
      clients.push(client);
      return client;
    },
    /** At least so long, and until so many calls were served since `restartHops`. */
    async run(durationMs: number, callsMin = 0): Promise<void> {
      const until = performance.now() + durationMs;
      let bucketEnds = performance.now() + bucketMs;
      let before = { ...part };
      while (performance.now() < until || part.calls < callsMin) {
        slice();
        if (performance.now() > bucketEnds) {
          bucketEnds += bucketMs;
          const share = (part.hops - before.hops) / (part.calls - before.calls);
          hops.push([(performance.now() - started) / 1_000, share * 100]);
          before = { ...part };
        }
        await nextTurn();
      }
      retry();
    },
  };
}

/** Feeds a client with what the directory says; resolves with the first of it. */
async function hear(
  coordinator: Coordinator,
  client: DirectoryClient,
  signal: AbortSignal,
): Promise<void> {
  const first = Promise.withResolvers<void>();
  const listen = async (): Promise<void> => {
    const known = directory({ base: baseNow });
    for await (const { kind, changes } of coordinator.watch(folder, { signal })) {
      for (const change of changes) {
        if (change.kind !== "put") continue;
        const entry = decodeDirectoryEntry(change.entry.value);
        known.restore(entry);
        client.learn(entry);
      }
      if (kind === "snapshot") client.takeFilter(known.filter());
      first.resolve();
    }
  };
  listen().catch(first.reject);
  await first.promise;
}

function drawHops({ plot }: Lab, { hops, marks }: ReturnType<typeof createLoad>): void {
  plot({
    kind: "line",
    name: "hops",
    title: "Calls that were forwarded once, the directory being killed and started again",
    x: { label: "seconds" },
    y: { label: "percent of calls" },
    series: [{ name: "forwarded", points: hops }],
    marks,
  });
}

function another(shard: string): string {
  const { shards } = base;
  return shards[(shards.indexOf(shard) + 1) % shards.length] as string;
}

async function startDirectory(
  dataFolder: string,
  port: number,
): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(import.meta.filename, ["serve-directory", dataFolder, String(port)]);
  const [message] = await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => {
      throw new Error(`the directory ended with ${code} before it served`);
    }),
  ]);
  return { child, port: (message as { port: number }).port };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

async function serveDirectory(dataFolder: string): Promise<void> {
  process.on("disconnect", () => process.exit());
  const listen = { host: "127.0.0.1", port: Number(process.argv[4]) };
  const { address } = await createCoordinatorNode({ listen, dataFolder, token: undefined });
  process.send?.({ port: address.port });
}
