import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { Agent, createServer, get, request } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";

import { staticResolver } from "tenfold/discovery";
import { createGateway } from "tenfold/gateway";
import { createRegistry } from "tenfold/telemetry";

/**
 * CPU time of one hop: the gateway with all it does (checks, balancing, deadlines, metrics) beside
 * a bare `node:http` proxy with a keep-alive agent that copies headers and pipes. A GET of 1 KiB,
 * 32 connections; the CPU is that of the proxy's process alone, so a busy machine matters little.
 * `--requests` for each round, `--rounds`, `--json` for machines.
 */
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    requests: { type: "string", default: "6000" },
    rounds: { type: "string", default: "3" },
    role: { type: "string" },
    port: { type: "string", default: "0" },
  },
});
const connections = 32;

if (values.role === undefined) await compare();
else await play(values.role, Number(values.port));

async function compare(): Promise<void> {
  const backend = await start("backend", 0);
  const proxies = {
    bare: await start("bare", backend.port),
    gateway: await start("gateway", backend.port),
  };
  const requests = Number(values.requests);
  const micros: Record<"bare" | "gateway", number[]> = { bare: [], gateway: [] };
  for (let round = -1; round < Number(values.rounds); round++) {
    for (const name of ["bare", "gateway"] as const) {
      const spent = await cpuPerRequest(proxies[name], requests);
      // The first round only warms up.
      if (round >= 0) micros[name].push(spent);
    }
  }
  for (const { child } of [backend, ...Object.values(proxies)]) child.kill();
  const figures = {
    "bare proxy, CPU per request, µs": median(micros.bare),
    "gateway, CPU per request, µs": median(micros.gateway),
    "gateway beside bare proxy, ratio":
      Math.round((median(micros.gateway) / median(micros.bare)) * 100) / 100,
  };
  if (values.json) console.log(JSON.stringify({ benchmark: "gateway", figures }));
  else for (const [name, figure] of Object.entries(figures)) console.log(`  ${name}: ${figure}`);
}

interface Player {
  readonly child: ChildProcess;
  readonly port: number;
}

async function start(role: string, port: number): Promise<Player> {
  const child = fork(import.meta.filename, ["--role", role, "--port", String(port)]);
  const [message] = await once(child, "message");
  return { child, port: (message as { port: number }).port };
}

async function cpuPerRequest({ child, port }: Player, requests: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const before = await cpuOf(child);
  let left = requests;
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      await new Promise<void>((resolve, reject) => {
        const options = { host: "127.0.0.1", port, path: "/x", agent };
        get(options, (response) => response.resume().on("end", resolve)).on("error", reject);
      });
    }
  };
  await Promise.all(Array.from({ length: connections }, lane));
  agent.destroy();
  return Math.round(((await cpuOf(child)) - before) / requests);
}

async function cpuOf(child: ChildProcess): Promise<number> {
  child.send("cpu");
  const [message] = await once(child, "message");
  return (message as { cpuMicros: number }).cpuMicros;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;
}

async function play(role: string, upstreamPort: number): Promise<void> {
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuMicros: user + system });
  });
  process.on("disconnect", () => process.exit());
  const ports = { backend, bare: () => bare(upstreamPort), gateway: () => gateway(upstreamPort) };
  process.send?.({ port: await ports[role as keyof typeof ports]() });
}

async function backend(): Promise<number> {
  const body = Buffer.alloc(1_024, "x");
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-length": body.length });
    response.end(body);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

async function bare(port: number): Promise<number> {
  const agent = new Agent({ keepAlive: true });
  const server = createServer((incoming, outgoing) => {
    const { method = "GET", url = "/", headers } = incoming;
    const options = { agent, host: "127.0.0.1", port, method, path: url, headers };
    const upstream = request(options, (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(outgoing);
    });
    upstream.on("error", () => outgoing.destroy());
    incoming.pipe(upstream);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

async function gateway(port: number): Promise<number> {
  const { address } = await createGateway({
    listen: { host: "127.0.0.1", port: 0 },
    routes: [{ path: "/", service: "x" }],
    resolver: staticResolver({ x: [{ address: "127.0.0.1", port }] }),
    metrics: createRegistry(),
  });
  return address.port;
}
