import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import type { Coordinator } from "../../coordination/coordinator.ts";
import { createFaultProxy, type FaultProxy } from "../../testing/fault-proxy.ts";
import { type CoordinatorNode, createCoordinatorNode } from "../coordinator-node/node.ts";
import { connectEtcd } from "./client.ts";

let dataFolder: string;
let node: CoordinatorNode;
let proxies: FaultProxy[];
let client: Coordinator;

beforeEach(async () => {
  dataFolder = await mkdtemp(join(tmpdir(), "tenfold-client-"));
  const listen = { host: "127.0.0.1", port: 0 };
  node = await createCoordinatorNode({ listen, dataFolder, token: undefined });
  const target = node.address;
  proxies = await Promise.all([1, 2, 3].map(() => createFaultProxy({ target })));
  const hosts = proxies.map(({ address }) => `${address.host}:${address.port}`);
  client = connectEtcd({ endpoints: `etcd://${hosts.join(",")}` });
});

afterEach(async () => {
  await client.close();
  await Promise.all(proxies.map((proxy) => proxy.close()));
  await node.close();
  await rm(dataFolder, { recursive: true, force: true });
});

test("of three servers any one suffices, whether the others refuse or are silent", async () => {
  for (let well = 0; well < 3; well++) {
    for (const [i, proxy] of proxies.entries()) {
      proxy.state = i === well ? "pass" : i === (well + 1) % 3 ? "silent" : "cut";
    }
    // The first call may find its connection silent, which costs it its share of the time.
    await client.get("a").catch(() => {});
    await client.get("a", { timeoutMs: 5_000 });
    await client.transact({ change: [{ put: "a", value: String(well) }] });
    expect((await client.get("a"))?.value).toBe(String(well));
  }
});

test("with no server at all the error says so and may be retried", async () => {
  for (const proxy of proxies) proxy.state = "cut";
  await expect(client.get("a", { timeoutMs: 300 })).rejects.toMatchObject({
    code: "TENFOLD_COORDINATION_UNAVAILABLE",
    retryable: true,
  });
  const change = [{ put: "a", value: "1" }];
  await expect(client.transact({ change }, { timeoutMs: 300 })).rejects.toMatchObject({
    code: "TENFOLD_COORDINATION_UNAVAILABLE",
  });
  for (const proxy of proxies) proxy.state = "pass";
  expect(await client.get("a")).toBeUndefined();
});

test("an aborted call ends at once with its reason", async () => {
  for (const proxy of proxies) proxy.state = "silent";
  const abort = new AbortController();
  const calling = client.get("a", { signal: abort.signal, timeoutMs: 60_000 });
  abort.abort();
  await expect(calling).rejects.toMatchObject({ code: "TENFOLD_ABORTED" });
});
