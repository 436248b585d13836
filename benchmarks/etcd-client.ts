import { parseArgs } from "node:util";

import { Etcd3 } from "etcd3";
import { connectEtcd } from "tenfold/engines/etcd";
import { startEtcdCluster } from "tenfold/testing";

import { fetchEngines, findEngine, whyMissing } from "../tools/engines/index.ts";
import { connectGrpcLoad } from "./support/grpc-load.ts";

/**
 * A put through our client beside npm `etcd3` (on grpc-js), against the same real etcd in the same
 * run: time and CPU of this process a put, one after the other and 64 at a time, the median of
 * alternating rounds, and ours as a ratio. The server does not wait for its disk, which would hide
 * what the clients cost. Ours is a transaction that also checks the store's generation. The floor
 * is a plain put in frames that were encoded beforehand, its answer unread: the server and the way
 * there, below which no client comes.
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

/** Fields 1 and 2, each shorter than 128 bytes. */
function putRequest(key: string, value: string): Buffer {
  const [name, text] = [Buffer.from(key), Buffer.from(value)];
  return Buffer.from([0x0a, name.length, ...name, 0x12, text.length, ...text]);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] as number;
}

const names = ["tenfold", "etcd3", "floor"] as const;
type Costs = Readonly<Record<(typeof names)[number], Cost>>;

async function compare(puts: Readonly<Record<keyof Costs, Put>>, concurrency: number) {
  const all: Costs[] = [];
  // The first round warms all up and is left out.
  for (let i = 0; i <= rounds; i++) {
    const costs = {
      tenfold: await round(puts.tenfold, concurrency),
      etcd3: await round(puts.etcd3, concurrency),
      floor: await round(puts.floor, concurrency),
    };
    if (i > 0) all.push(costs);
  }
  const of = (key: keyof Cost) => {
    const [tenfold, etcd3, floor] = names.map((name) =>
      Math.round(median(all.map((costs) => costs[name][key]))),
    ) as [number, number, number];
    const share = (cost: number): number => Math.round((cost / etcd3) * 100) / 100;
    return { tenfold, etcd3, floor, ratio: share(tenfold), "floor's": share(floor), goal };
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
const frames = await connectGrpcLoad(port);
const encoded = new Map<string, Buffer>();
try {
  const clients = {
    tenfold: (key: string, value: string) => tenfold.transact({ change: [{ put: key, value }] }),
    etcd3: (key: string, value: string) => etcd3.put(key).value(value).exec(),
    floor(key: string, value: string) {
      const message = encoded.get(key) ?? putRequest(key, value);
      encoded.set(key, message);
      return frames.call("/etcdserverpb.KV/Put", message);
    },
  };
  const [one, many] = [await compare(clients, 1), await compare(clients, 64)];
  const results = {
    "1 at a time, µs a put": one.time,
    "1 at a time, CPU µs a put": one.cpu,
    "64 at a time, µs a put": many.time,
    "64 at a time, CPU µs a put": many.cpu,
  };
  if (values.json) console.log(JSON.stringify(results));
  else console.table(results);
} finally {
  frames.close();
  etcd3.close();
  await tenfold.close();
  await cluster.close();
}
