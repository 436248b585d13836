import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, describe, expect, it } from "vitest";

import { createKeptSession } from "../coordination/kept-session.ts";
import type { Member } from "../discovery/endpoint.ts";
import { createRegistrar } from "../discovery/registrar.ts";
import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { silentLog } from "../runtime/log.ts";
import { systemRuntime } from "../runtime/runtime.ts";
import { createRegistry } from "../telemetry/registry.ts";
import { gatewayService } from "./gateway-service.ts";
import type { ServiceContext } from "./service.ts";
import { openServiceContext } from "./service-context.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A fleet of two instances in each of two zones, seen by an instance in the first. */
async function twoZones() {
  const coordinator = createMemoryCoordinator();
  const runtime = { ...systemRuntime, log: silentLog };
  const session = createKeptSession(coordinator, { runtime });
  cleanups.push(() => session.close());
  const servers = new Map<string, Server>();
  for (const id of ["near-1", "near-2", "far-1", "far-2"]) {
    const server = createServer((_request, response) => void response.end(id));
    await once(server.listen(0, "127.0.0.1"), "listening");
    servers.set(id, server);
    cleanups.push(() => end(server));
    const { port } = server.address() as AddressInfo;
    const [zone = ""] = id.split("-");
    const member: Member = {
      ...{ id, service: "posts", host: id, zone, address: "127.0.0.1", port, adminPort: 1 },
      ...{ protocol: "http", version: "1", weight: 1, pid: 1, startedAtMs: 1_700_000_000_000 },
    };
    const registrar = createRegistrar({ coordinator, session, fleet: "f", member, runtime });
    cleanups.push(() => registrar.close());
    await registrar.registered;
  }
  const dataFolder = mkdtempSync(join(tmpdir(), "tenfold-zones-"));
  cleanups.push(() => rmSync(dataFolder, { recursive: true, force: true }));
  const instance = {
    ...{ fleet: "f", service: "caller", name: "caller-1", host: "a", zone: "near" },
    ...{ address: "127.0.0.1", port: await freePort(), adminPort: 1 },
    ...{ dataFolder, version: "1" },
  };
  const opened = openServiceContext({
    ...{ instance, settings: {}, stores: {}, runtime, metrics: createRegistry(), coordinator },
    ...{ session, token: "t", stopping: new AbortController().signal },
  });
  cleanups.push(() => opened.close());
  return { context: opened.context, stop: (id: string) => end(servers.get(id) as Server) };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

function end(server: Server): void {
  server.closeAllConnections();
  server.close();
}

/** The zones of those who answer. */
async function zones(ask: () => Promise<string>): Promise<readonly string[]> {
  const found = new Set<string | undefined>();
  for (let i = 0; i < 40; i++) found.add((await ask()).split("-")[0]);
  return [...found].map(String);
}

const patient = { policy: { deadlineMs: 45_000, tryTimeoutMs: 20_000, breaker: false } } as const;

const nearFirst = ({ instance }: ServiceContext) => ({
  balancing: { zone: { own: instance.zone } },
});

describe("the zone of an instance", () => {
  const asker = (context: ServiceContext, options = {}) => {
    const client = context.client("posts", { ...patient, ...options });
    return async () => (await client.request({ method: "GET", path: "/" })).text();
  };

  it("comes first for clients that want it, as long as anybody is well there", async () => {
    const { context, stop } = await twoZones();
    const ask = asker(context, nearFirst(context));
    expect(await zones(ask)).toEqual(["near"]);
    stop("near-1");
    stop("near-2");
    // By then it is known that they fail, and calls no longer begin with them.
    await zones(ask);
    expect(await zones(ask)).toEqual(["far"]);
  });

  it("plays no part otherwise", async () => {
    const { context } = await twoZones();
    expect(await zones(asker(context, { balancing: { zone: { own: "far" } } }))).toEqual(["far"]);
    expect((await zones(asker(context))).toSorted()).toEqual(["far", "near"]);
  });

  it("comes first for a gateway that is told so", async () => {
    const { context, stop } = await twoZones();
    const settings = { routes: [{ path: "/", service: "posts" }], nearFirst: true };
    const gateway = await gatewayService.start({ ...context, settings });
    cleanups.push(() => gateway.close?.());
    const url = `http://127.0.0.1:${context.instance.port}/`;
    const ask = async () => await (await fetch(url)).text();
    expect(await zones(ask)).toEqual(["near"]);
    stop("near-1");
    stop("near-2");
    await zones(ask);
    expect(await zones(ask)).toEqual(["far"]);
  });
});
