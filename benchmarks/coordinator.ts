import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { createCoordinatorNode } from "tenfold/engines/coordinator-node";
import { startEtcdCluster } from "tenfold/testing";
import { fetchEngines, findEngine } from "../tools/engines/index.ts";
import { connectGrpcLoad, type GrpcLoad } from "./support/grpc-load.ts";
import { crowdTtlMs, type Expiry, expireTogether } from "./support/session-crowd.ts";

/**
 * The embedded coordinator beside one node of etcd, in one run: transactions of a put of 100 bytes
 * through the wire, each answered when it is on disk, 64 at a time over 4 connections; and 10,000
 * watches of one key, each a stream of its own, until every one has seen a put; and 10,000 sessions
 * whose holders are killed at once. Goals: 20,000 transactions a second and not fewer than etcd;
 * 10,000 watches served.
 * `--seconds` for each of the `--rounds`, `--watches`, `--sessions`, `--json` for machines.
 */
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    seconds: { type: "string", default: "4" },
    rounds: { type: "string", default: "3" },
    watches: { type: "string", default: "10000" },
    sessions: { type: "string", default: "10000" },
    role: { type: "string" },
    folder: { type: "string", default: "" },
  },
});
const wide = 64;
const connections = 4;
const watchConnections = 10;
const txnPath = "/etcdserverpb.KV/Txn";
const watchPath = "/etcdserverpb.Watch/Watch";

if (values.role === "node") await serve();
else await compare();

async function serve(): Promise<void> {
  const listen = { host: "127.0.0.1", port: 0 };
  const node = await createCoordinatorNode({ listen, dataFolder: values.folder, token: undefined });
  process.send?.(node.address.port);
  process.once("disconnect", () => process.exit(0));
}

interface Server {
  readonly port: number;
  readonly pid: number;
  close(): Promise<void>;
}

async function startNode(): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "tenfold-bench-coordinator-"));
  const args = ["--role", "node", "--folder", folder];
  const child: ChildProcess = fork(import.meta.filename, args, {
    execArgv: ["--conditions=tenfold:source", "--no-warnings"],
  });
  const [port] = await once(child, "message");
  return {
    port,
    pid: child.pid ?? 0,
    async close() {
      child.kill("SIGKILL");
      await once(child, "exit");
      rmSync(folder, { recursive: true });
    },
  };
}

async function startEtcd(): Promise<Server | undefined> {
  await fetchEngines(["etcd"]);
  const engine = findEngine("etcd");
  if (engine === undefined) return undefined;
  const cluster = await startEtcdCluster({ program: engine.program, hosts: ["127.0.0.1"] });
  const [member] = cluster.members;
  if (member === undefined) throw new Error("etcd has no member");
  return { port: member.address.port, pid: member.child.pid ?? 0, close: () => cluster.close() };
}

interface Round {
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly cpuMicros: number;
}

async function transactions({ port, pid }: Server, durationMs: number): Promise<Round> {
  const clients = await Promise.all(
    Array.from({ length: connections }, () => connectGrpcLoad(port)),
  );
  const took: number[] = [];
  const cpuBefore = cpuMs(pid);
  const start = performance.now();
  const loop = async (worker: number): Promise<void> => {
    const client = clients[worker % connections] as GrpcLoad;
    const request = putTxn(`/bench/${worker}`, "x".repeat(100));
    while (performance.now() - start < durationMs) {
      const sent = performance.now();
      await client.call(txnPath, request);
      took.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: wide }, (_, worker) => loop(worker)));
  const elapsedMs = performance.now() - start;
  const cpuMicros = ((cpuMs(pid) - cpuBefore) * 1_000) / took.length;
  for (const client of clients) client.close();
  took.sort((a, b) => a - b);
  const p99Ms = took[Math.floor(took.length * 0.99)] ?? 0;
  return { perSecond: (took.length / elapsedMs) * 1_000, p99Ms, cpuMicros };
}

interface Watched {
  /** Until all of them have seen a put: the median of some puts. */
  readonly ms: number;
  /** Of the server, for each watch and put. */
  readonly cpuMicros: number;
}

async function watches({ port, pid }: Server, count: number): Promise<Watched> {
  const clients = await Promise.all(
    Array.from({ length: watchConnections }, () => connectGrpcLoad(port)),
  );
  let told = 0;
  let allTold = (): void => {};
  const all = (): Promise<void> =>
    new Promise((resolve) => {
      told = 0;
      allTold = resolve;
    });
  const onMessage = (): void => {
    told++;
    if (told === count) allTold();
  };
  const created = all();
  for (let i = 0; i < count; i++) {
    clients[i % watchConnections]?.open(watchPath, watchCreate("/bench/watched"), onMessage);
  }
  await created;
  const took: number[] = [];
  const puts = 21;
  const cpuBefore = cpuMs(pid);
  for (let put = 0; put < puts; put++) {
    const start = performance.now();
    const seen = all();
    await clients[0]?.call(txnPath, putTxn("/bench/watched", String(put)));
    await seen;
    took.push(performance.now() - start);
  }
  const cpuMicros = ((cpuMs(pid) - cpuBefore) * 1_000) / (puts * count);
  for (const client of clients) client.close();
  return { ms: median(took), cpuMicros };
}

async function compare(): Promise<void> {
  const etcd = await startEtcd();
  const servers = { node: await startNode(), ...(etcd === undefined ? {} : { etcd }) };
  const rounds: Record<string, Round[]> = {};
  const watched: Record<string, Watched> = {};
  const expired: Record<string, Expiry> = {};
  try {
    for (let round = -1; round < Number(values.rounds); round++) {
      for (const [name, server] of Object.entries(servers)) {
        // The first round only warms up.
        const result = await transactions(server, Number(values.seconds) * 1_000);
        if (round >= 0) rounds[name] = [...(rounds[name] ?? []), result];
      }
    }
    for (const [name, server] of Object.entries(servers)) {
      watched[name] = await watches(server, Number(values.watches));
    }
    for (const [name, { port }] of Object.entries(servers)) {
      const endpoints = `http://127.0.0.1:${port}`;
      expired[name] = await expireTogether(endpoints, Number(values.sessions));
    }
  } finally {
    await Promise.all(Object.values(servers).map((server) => server.close()));
  }
  report(rounds, watched, expired);
}

function report(
  rounds: Record<string, Round[]>,
  watched: Record<string, Watched>,
  expired: Record<string, Expiry>,
): void {
  const figures: Record<string, number> = {};
  for (const [name, all] of Object.entries(rounds)) {
    figures[`${name}: durable txn/s, ${wide}-way`] = rounded(
      all.map((one) => one.perSecond),
      0,
    );
    figures[`${name}: p99, ms`] = rounded(
      all.map((one) => one.p99Ms),
      2,
    );
    figures[`${name}: server CPU per txn, µs`] = rounded(
      all.map((one) => one.cpuMicros),
      1,
    );
  }
  const [own, peer] = ["node", "etcd"].map((name) => rounds[name]?.map((one) => one.perSecond));
  if (own !== undefined && peer !== undefined) {
    figures["node beside etcd, txn/s, ratio"] = rounded([median(own) / median(peer)], 2);
  }
  for (const [name, { ms, cpuMicros }] of Object.entries(watched)) {
    figures[`${name}: ${values.watches} watches all saw a put after, ms`] = rounded([ms], 1);
    figures[`${name}: server CPU per watch and put, µs`] = rounded([cpuMicros], 2);
  }
  for (const [name, { goneMs, worstPutMs, othersLost }] of Object.entries(expired)) {
    const of = `${name}: ${values.sessions} sessions of killed processes`;
    figures[`${of}, all gone after their ${crowdTtlMs / 1_000} s, ms`] = rounded(
      [goneMs - crowdTtlMs],
      0,
    );
    figures[`${of}, worst put beside, ms`] = rounded([worstPutMs], 1);
    figures[`${of}, sessions of others lost`] = othersLost;
  }
  if (values.json) console.log(JSON.stringify({ benchmark: "coordinator", figures }));
  else for (const [name, figure] of Object.entries(figures)) console.log(`  ${name}: ${figure}`);
}

/** Of the whole process, threads included, since it started. Linux only. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  const ticksMs = 10;
  return (Number(fields[11]) + Number(fields[12])) * ticksMs;
}

function putTxn(key: string, value: string): Buffer {
  const put = Buffer.concat([field(1, Buffer.from(key)), field(2, Buffer.from(value))]);
  return field(2, field(2, put));
}

function watchCreate(key: string): Buffer {
  return field(1, field(1, Buffer.from(key)));
}

/** A length-delimited field of fewer than 128 bytes, or of fewer than 16,384. */
function field(number: number, content: Uint8Array): Buffer {
  const { length } = content;
  const size = length < 128 ? [length] : [(length & 0x7f) | 0x80, length >> 7];
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...size]), content]);
}

function median(all: readonly number[]): number {
  return all.toSorted((a, b) => a - b)[all.length >> 1] ?? 0;
}

function rounded(all: readonly number[], digits: number): number {
  return Number(median(all).toFixed(digits));
}
