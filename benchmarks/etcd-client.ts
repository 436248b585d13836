import { parseArgs } from "node:util";

import { Etcd3 } from "etcd3";
import { connectEtcd } from "tenfold/engines/etcd";
import { startEtcdCluster } from "tenfold/testing";

import { fetchEngines, findEngine, whyMissing } from "../tools/engines/index.ts";

/**
 * A put through our client beside npm `etcd3` (on grpc-js), against the same real etcd in the same
 * run: time and CPU of this process a put, one after the other and 64 at a time, the median of
 * alternating rounds, and ours as a ratio. The server does not wait for its disk, which would hide
 * what the clients cost. Ours is a transaction that also checks the store's generation.
 * `--puts` a round, `--rounds`, `--json`.
 */
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    puts: { type: "string", default: "2000" },
    rounds: { type: "string", default: "9" },
  },
});
const puts = Number(values.puts);
const rounds = Number(values.rounds);
const goal = 0.6;

type Put = (key: string, value: string) => Promise<unknown>;

interface Cost {
  readonly microseconds: number;
  readonly cpuMicroseconds: number;
}

async function round(put: Put, concurrency: number): Promise<Cost> {
  globalThis.gc?.();
  const cpu = process.cpuUsage();
  const start = performance.now();
  let left = puts;
  const loop = async (): Promise<void> => {
    while (left > 0) {
      left--;
      await put(`/bench/${left % 100}`, "x".repeat(100));
    }
  };
  await Promise.all(Array.from({ length: concurrency }, loop));
  const tookMs = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return {
    microseconds: (tookMs * 1_000) / puts,
    cpuMicroseconds: (user + system) / puts,
  };
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] as number;
}

async function compare(ours: Put, theirs: Put, concurrency: number) {
  const costs: { ours: Cost; theirs: Cost }[] = [];
  // The first round warms both up and is left out.
  for (let i = 0; i <= rounds; i++) {
    const pair = { ours: await round(ours, concurrency), theirs: await round(theirs, concurrency) };
    if (i > 0) costs.push(pair);
  }
  const of = (key: keyof Cost) => {
    const [mine, peer] = [
      median(costs.map((cost) => cost.ours[key])),
      median(costs.map((cost) => cost.theirs[key])),
    ];
    const ratio = Math.round((mine / peer) * 100) / 100;
    return { tenfold: Math.round(mine), etcd3: Math.round(peer), ratio, goal };
  };
  return { time: of("microseconds"), cpu: of("cpuMicroseconds") };
}

await fetchEngines(["etcd"]);
const engine = findEngine("etcd");
if (engine === undefined) throw new Error(whyMissing("etcd"));
const flags = ["--unsafe-no-fsync"];
const cluster = await startEtcdCluster({ program: engine.program, hosts: ["127.0.0.1"], flags });
const { host, port } = cluster.members[0]?.address ?? { host: "", port: 0 };
const tenfold = connectEtcd({ endpoints: cluster.endpoints });
const etcd3 = new Etcd3({ hosts: `http://${host}:${port}` });
try {
  const ours: Put = (key, value) => tenfold.transact({ change: [{ put: key, value }] });
  const theirs: Put = (key, value) => etcd3.put(key).value(value).exec();
  const [one, many] = [await compare(ours, theirs, 1), await compare(ours, theirs, 64)];
  const results = {
    "1 at a time, µs a put": one.time,
    "1 at a time, CPU µs a put": one.cpu,
    "64 at a time, µs a put": many.time,
    "64 at a time, CPU µs a put": many.cpu,
  };
  if (values.json) console.log(JSON.stringify(results));
  else console.table(results);
} finally {
  etcd3.close();
  await tenfold.close();
  await cluster.close();
}
