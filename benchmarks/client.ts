import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";

import { builtInDispatcher, createServiceClient, staticResolver } from "tenfold/discovery";

/**
 * CPU time that a call of another process costs its caller: the service client with all its layers
 * beside a bare dispatch on the agent built into Node, beside `fetch`, and beside a Moleculer call
 * with timeout, retries, circuit breaker and bulkhead over TCP. An answer of 1 KiB, 32 callers at
 * once; the CPU is that of the calling process alone. The medians of rounds that take turns.
 * `--calls` a round, `--rounds`, `--json`.
 */
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    calls: { type: "string", default: "8000" },
    rounds: { type: "string", default: "9" },
    role: { type: "string" },
  },
});
const callers = 32;
const warmUpRounds = 2;

interface Broker {
  start(): Promise<void>;
  stop(): Promise<void>;
  waitForServices(names: string): Promise<void>;
  call(action: string): Promise<unknown>;
  createService(schema: object): unknown;
}
const { ServiceBroker } = createRequire(import.meta.url)("moleculer") as {
  ServiceBroker: new (options: Readonly<Record<string, unknown>>) => Broker;
};

if (values.role === undefined) await compare();
else await serve();

function broker(nodeID: string, port: number | null, urls: readonly string[]): Broker {
  return new ServiceBroker({
    nodeID,
    logger: false,
    transporter: { type: "TCP", options: { udpDiscovery: false, port, urls } },
    requestTimeout: 2_000,
    retryPolicy: { enabled: true },
    circuitBreaker: { enabled: true },
    bulkhead: { enabled: true, concurrency: 512, maxQueueSize: 512 },
  });
}

interface Ports {
  readonly http: number;
  readonly tcp: number;
}

async function serve(): Promise<void> {
  const body = Buffer.alloc(1_024, "x");
  const text = body.toString();
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-length": body.length });
    response.end(body);
  });
  server.keepAliveTimeout = 60_000;
  await once(server.listen(0, "127.0.0.1"), "listening");
  const tcp = await freePort();
  const node = broker("server", tcp, []);
  node.createService({ name: "work", actions: { get: () => text } });
  await node.start();
  process.on("disconnect", () => process.exit());
  process.send?.({ http: (server.address() as AddressInfo).port, tcp } satisfies Ports);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function compare(): Promise<void> {
  const child = fork(import.meta.filename, ["--role", "server"]);
  const ports = await portsOf(child);
  const origin = `http://127.0.0.1:${ports.http}`;
  const work = [{ address: "127.0.0.1", port: ports.http }];
  const client = createServiceClient("work", { resolver: staticResolver({ work }) });
  const peer = broker("caller", await freePort(), [`127.0.0.1:${ports.tcp}/server`]);
  await peer.start();
  await peer.waitForServices("work");

  const ways: Readonly<Record<string, () => Promise<unknown>>> = {
    dispatch: bareDispatch(origin),
    request: () => client.request({ method: "GET", path: "/x" }),
    fetch: () => fetch(`${origin}/x`).then((response) => response.arrayBuffer()),
    "client.fetch": () => client.fetch("/x").then((response) => response.arrayBuffer()),
    moleculer: () => peer.call("work.get"),
  };
  const micros = await takeTurns(ways);
  await client.close();
  await peer.stop();
  child.kill();
  report(micros);
}

async function portsOf(child: ChildProcess): Promise<Ports> {
  const [message] = await once(child, "message");
  return message as Ports;
}

/** What is below everything: one request on the agent built into Node, its body collected. */
function bareDispatch(origin: string): () => Promise<unknown> {
  const Agent = builtInDispatcher().constructor as unknown as new (
    options: object,
  ) => { dispatch(options: object, handler: object): boolean };
  const agent = new Agent({ connections: callers });
  return () =>
    new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      agent.dispatch(
        { origin, path: "/x", method: "GET", headers: [] },
        {
          onRequestStart() {},
          onResponseStart() {},
          onResponseData: (_controller: object, chunk: Buffer) => void chunks.push(chunk),
          onResponseEnd: () => resolve(chunks),
          onResponseError: (_controller: object, error: Error) => reject(error),
        },
      );
    });
}

async function takeTurns(
  ways: Readonly<Record<string, () => Promise<unknown>>>,
): Promise<ReadonlyMap<string, number>> {
  const rounds = Number(values.rounds);
  const costs = new Map<string, number[]>(Object.keys(ways).map((name) => [name, []]));
  for (let round = -warmUpRounds; round < rounds; round++) {
    for (const [name, call] of Object.entries(ways)) {
      const spent = await cpuPerCall(call);
      if (round >= 0) costs.get(name)?.push(spent);
    }
  }
  return new Map(
    [...costs].map(([name, list]) => [
      name,
      list.toSorted((a, b) => a - b)[list.length >> 1] ?? Number.NaN,
    ]),
  );
}

async function cpuPerCall(call: () => Promise<unknown>): Promise<number> {
  const calls = Number(values.calls);
  let left = calls;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await call();
  };
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: callers }, lane));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}

function report(micros: ReadonlyMap<string, number>): void {
  const of = (name: string): number => micros.get(name) ?? Number.NaN;
  const round = (value: number, digits = 10): number => Math.round(value * digits) / digits;
  const figures = {
    "bare dispatch, µs": round(of("dispatch")),
    "service client, µs": round(of("request")),
    "fetch, µs": round(of("fetch")),
    "service client's fetch, µs": round(of("client.fetch")),
    "Moleculer call, µs": round(of("moleculer")),
    "service client beside bare dispatch, ratio (goal 1.10)": round(
      of("request") / of("dispatch"),
      100,
    ),
    "service client's fetch beside fetch, ratio": round(of("client.fetch") / of("fetch"), 100),
    "service client beside Moleculer, ratio": round(of("request") / of("moleculer"), 100),
  };
  if (values.json) console.log(JSON.stringify({ benchmark: "client", figures }));
  else for (const [name, figure] of Object.entries(figures)) console.log(`  ${name}: ${figure}`);
}
