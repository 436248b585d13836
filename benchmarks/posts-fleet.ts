import { randomInt, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";

import { type LabFleet, startFleet, until } from "../lab/support/fleet.ts";
import { readMetrics } from "../lab/support/metrics.ts";
import { processTree } from "../lab/support/pss.ts";

/**
 * The whole posts fleet on this machine: requests a second, and CPU time a request over all its
 * processes, of writing, listing and reading one post. A closed loop: each connection sends its
 * next request when the last was answered. The client shares the machine with the fleet; its CPU
 * is told apart. A write's CPU counts until the workers have stored it. `idle` is what the fleet
 * takes in a second without requests; it is part of every figure.
 * `--seconds` for each round, `--json` for machines.
 */
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    seconds: { type: "string", default: "4" },
  },
});
const measureMs = Number(values.seconds) * 1_000;
const warmUpMs = 1_000;
const users = 200;
const postsOfUser = 12;
const connections = [1, 16, 64];
const columns = [
  "gateway",
  "posts",
  "guid",
  "queue-posts",
  "worker",
  "postgres",
  "other",
  "client",
];

type Cpu = ReadonlyMap<string, number>;

interface Round {
  readonly operation: string;
  readonly connections: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
  /** Of the fleet alone, milliseconds a request. */
  readonly cpuMs: number;
  /** The same by service, and of the client. */
  readonly cpuMsBy: Readonly<Record<string, number>>;
}

interface Call {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: string;
}

const known: { readonly user: number; readonly id: string }[] = [];
const operations: Readonly<Record<string, () => Call>> = {
  write: () => writeOf(randomInt(users)),
  list: () => ({ method: "GET", path: `/api/v1/posts/${randomInt(users)}?limit=10` }),
  "read one": () => {
    const { user, id } = known[randomInt(known.length)] ?? { user: 0, id: "0" };
    return { method: "GET", path: `/api/v1/posts/${user}/${id}` };
  },
};

const fleet = await startFleet();
try {
  await prepare(fleet);
  const idle = await idleCpu(fleet);
  const rounds: Round[] = [];
  if (!values.json) console.log(`  idle, CPU ms a second: ${rowOf(idle)}`);
  for (const operation of Object.keys(operations)) {
    for (const count of connections) {
      const round = await measure(fleet, operation, count);
      rounds.push(round);
      if (!values.json) print(round, rounds.length === 1);
    }
  }
  if (values.json) {
    const idleCpuMsPerSecond = Object.fromEntries(idle);
    console.log(JSON.stringify({ benchmark: "posts-fleet", idleCpuMsPerSecond, rounds }));
  }
  if (rounds.some(({ failed }) => failed > 0)) process.exitCode = 1;
} finally {
  await fleet.close();
}

/** Every user has more posts than a page shows. */
async function prepare({ gateway }: LabFleet): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const writeAll = async (first: number): Promise<void> => {
    for (let index = first; index < users * postsOfUser; index += 16) {
      const user = index % users;
      const { status, text } = await send(gateway, agent, writeOf(user));
      if (status !== 201) throw new Error(`not written: ${text}`);
      known.push({ user, id: (JSON.parse(text) as { id: string }).id });
    }
  };
  await Promise.all(Array.from({ length: 16 }, (_, first) => writeAll(first)));
  agent.destroy();
}

async function idleCpu(of: LabFleet): Promise<Cpu> {
  await untilStored(of);
  const before = await cpuOf(of);
  await pause(measureMs);
  return perUnit(before, await cpuOf(of), measureMs / 1_000);
}

async function measure(of: LabFleet, operation: string, count: number): Promise<Round> {
  const agent = new Agent({ keepAlive: true, maxSockets: count });
  await drive(of.gateway, agent, operation, count, warmUpMs);
  await untilStored(of);
  const before = await cpuOf(of);
  const began = performance.now();
  const { tookMs, failed } = await drive(of.gateway, agent, operation, count, measureMs);
  const seconds = (performance.now() - began) / 1_000;
  await untilStored(of);
  const cpu = perUnit(before, await cpuOf(of), tookMs.length);
  agent.destroy();
  const sorted = tookMs.sort((a, b) => a - b);
  const quantile = (share: number): number =>
    sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  const fleetMs = [...cpu].reduce((sum, [name, ms]) => (name === "client" ? sum : sum + ms), 0);
  return {
    operation,
    connections: count,
    perSecond: Math.round(tookMs.length / seconds),
    p50Ms: rounded(quantile(0.5)),
    p99Ms: rounded(quantile(0.99)),
    failed,
    cpuMs: rounded(fleetMs),
    cpuMsBy: Object.fromEntries(cpu),
  };
}

async function drive(
  gateway: string,
  agent: Agent,
  operation: string,
  count: number,
  forMs: number,
): Promise<{ tookMs: number[]; failed: number }> {
  const next = operations[operation] as () => Call;
  const end = performance.now() + forMs;
  const tookMs: number[] = [];
  let failed = 0;
  const connection = async (): Promise<void> => {
    for (let began = performance.now(); began < end; began = performance.now()) {
      const { status } = await send(gateway, agent, next());
      tookMs.push(performance.now() - began);
      if (status !== 200 && status !== 201) failed += 1;
    }
  };
  await Promise.all(Array.from({ length: count }, connection));
  return { tookMs, failed };
}

function writeOf(user: number): Call {
  const body = JSON.stringify({ contents: `What user ${user} has to say: ${"word ".repeat(20)}` });
  return { method: "POST", path: `/api/v1/posts/${user}`, body };
}

function send(
  gateway: string,
  agent: Agent,
  call: Call,
): Promise<{ status: number; text: string }> {
  const { hostname: host, port } = new URL(gateway);
  const { method, path, body } = call;
  const headers =
    body === undefined
      ? {}
      : { "content-type": "application/json", "idempotency-key": randomUUID() };
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, method, path, headers, agent }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Until no post waits for a worker any more. */
async function untilStored({ status, token }: LabFleet): Promise<void> {
  const { instances } = await status();
  const queue = instances.find(({ service }) => service === "queue-posts");
  await until("the queue to be empty", 60_000, async () => {
    const metrics = await readMetrics(queue?.adminPort ?? 0, token);
    const value = (name: string): number => metrics.get(`tenfold_queue_${name}`)?.[0]?.value ?? 1;
    return value("ready") + value("leased") + value("delayed") === 0;
  });
}

/** CPU milliseconds so far of every column. */
async function cpuOf({ status, supervisorPid }: LabFleet): Promise<Cpu> {
  const { user, system } = process.cpuUsage();
  const sums = new Map(columns.map((name) => [name, 0]));
  const add = (name: string, ms: number): void => {
    const column = columns.includes(name) ? name : "other";
    sums.set(column, (sums.get(column) ?? 0) + ms);
  };
  const { instances } = await status();
  const children = new Set<number>();
  for (const { kind, service, pid } of instances) {
    if (pid === undefined) continue;
    for (const each of processTree(pid)) {
      children.add(each);
      add(kind === "postgres" ? "postgres" : service, cpuMsOf(each));
    }
  }
  for (const pid of processTree(supervisorPid)) if (!children.has(pid)) add("other", cpuMsOf(pid));
  add("client", (user + system) / 1_000);
  return sums;
}

/**
 * Of user and kernel, its own and that of the children it has seen end, in ticks of ten
 * milliseconds; 0 when the process is gone.
 */
function cpuMsOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command's name is in parentheses and may hold blanks and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
  } catch {
    return 0;
  }
}

function perUnit(before: Cpu, after: Cpu, units: number): Cpu {
  return new Map(
    [...after].map(([name, ms]) => [name, rounded((ms - (before.get(name) ?? 0)) / units)]),
  );
}

function print(round: Round, first: boolean): void {
  const cells = [round.perSecond, round.p50Ms, round.p99Ms, round.failed, round.cpuMs];
  const text = [round.operation.padEnd(9), String(round.connections).padStart(5)].join("");
  const head = ["requests/s", "p50 ms", "p99 ms", "failed", "CPU ms"];
  const width = 12;
  if (first) {
    const titles = [...head, ...columns].map((title) => title.padStart(width + 1)).join("");
    console.log(`  CPU in milliseconds a request\n  ${"".padEnd(9)}conn.${titles}`);
  }
  const row = [...cells, ...columns.map((name) => round.cpuMsBy[name])];
  console.log(`  ${text}${row.map((cell) => String(cell).padStart(width + 1)).join("")}`);
}

function rowOf(cpu: Cpu): string {
  return [...cpu].map(([name, ms]) => `${name} ${ms}`).join(", ");
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
