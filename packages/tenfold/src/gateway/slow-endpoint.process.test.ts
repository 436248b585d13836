import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

import { afterEach, expect, it } from "vitest";

import type { HostMeter } from "../balancing/load-measure.ts";
import { staticResolver } from "../discovery/static-resolver.ts";
import { createRegistry } from "../telemetry/registry.ts";
import { createGateway } from "./gateway.ts";
import { gatewayDefaults } from "./gateway-limits.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(name: string, answerMs: number) {
  const listener: RequestListener = async (request, response) => {
    let bytes = 0;
    for await (const chunk of request) bytes += (chunk as Buffer).length;
    await pause(answerMs);
    response.end(`${name} ${bytes}`);
  };
  const server = createServer(listener);
  await once(server.listen(0, "127.0.0.1"), "listening");
  cleanups.push(() => server.closeAllConnections());
  cleanups.push(() => server.close());
  return { address: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

/** A gateway whose requests go to a slow instance first, as if each were to find out about it. */
async function gatewayThatAsks() {
  const posts = [await serve("slow", 300), await serve("quick", 0)];
  const meter = (patienceMs: number): HostMeter => ({
    load: () => patienceMs,
    began: () => patienceMs,
    record() {},
    save: () => undefined,
    restore() {},
  });
  const patience = [20];
  const metrics = createRegistry();
  const gateway = await createGateway({
    listen: { host: "127.0.0.1", port: 0 },
    routes: [{ path: "/", service: "posts" }],
    resolver: staticResolver({ posts }),
    balancing: {
      measure: () => ({ host: () => meter(patience.pop() ?? Number.POSITIVE_INFINITY) }),
      slowStartMs: 0,
    },
    limits: { deadlineMs: 45_000, tryTimeoutMs: 20_000 },
    metrics,
  });
  cleanups.push(() => gateway.close({ graceMs: 0 }));
  const tries = (): number => {
    const family = metrics.read().find(({ name }) => name === "tenfold_discovery_tries_total");
    return (family?.samples ?? []).reduce((sum, { value }) => sum + value, 0);
  };
  return { url: `http://127.0.0.1:${gateway.address.port}/`, tries };
}

const small = "x".repeat(100);
const large = "x".repeat(gatewayDefaults.bufferBytes * 4);
const key = { "idempotency-key": "1" };

it.each<[what: string, init: RequestInit, answer: string, tries: number]>([
  ["leaves a slow instance with a GET", {}, "quick 0", 2],
  [
    "… and with what its client named",
    { method: "POST", body: small, headers: key },
    "quick 100",
    2,
  ],
  ["stays with what must not be made twice", { method: "POST", body: small }, "slow 100", 1],
  [
    "… and with a body that is being passed on, named or not",
    { method: "PUT", body: large, headers: key },
    `slow ${large.length}`,
    1,
  ],
])("%s", async (_what, init, answer, tries) => {
  const { url, tries: counted } = await gatewayThatAsks();
  const response = await fetch(url, init);
  expect([response.status, await response.text()]).toEqual([200, answer]);
  await expect.poll(counted).toBe(tries);
});
