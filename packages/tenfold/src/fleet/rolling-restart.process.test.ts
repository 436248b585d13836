import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";

import { coordinatorResolver } from "../discovery/coordinator-resolver.ts";
import { createServiceClient } from "../discovery/service-client.ts";
import { type CoordinatorNode, createCoordinatorNode } from "../engines/coordinator-node/node.ts";
import { connectEtcd } from "../engines/etcd/client.ts";

const fixture = fileURLToPath(new URL("./run-service.fixture.ts", import.meta.url));
const token = "the-token-of-this-test";
const folder = mkdtempSync(join(tmpdir(), "tenfold-rolling-"));
const children = new Map<string, ChildProcess>();
let node: CoordinatorNode;
const listen = { host: "127.0.0.1", port: 0 };

beforeAll(async () => {
  node = await createCoordinatorNode({ listen, dataFolder: join(folder, "coordinator"), token });
});
afterAll(async () => {
  for (const child of children.values()) child.kill("SIGKILL");
  await node.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Starts an instance and waits until it is registered. */
async function start(name: string): Promise<void> {
  const child = spawn(process.execPath, ["--conditions=tenfold:source", fixture], {
    env: {
      PATH: process.env.PATH ?? "",
      TENFOLD_INSTANCE: name,
      TENFOLD_DATA: join(folder, name),
      TENFOLD_COORDINATOR: `etcd://127.0.0.1:${node.address.port}`,
      TENFOLD_TOKEN: "env:EXAMPLE_TOKEN",
      EXAMPLE_TOKEN: token,
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.set(name, child);
  const log = createInterface({ input: child.stdout });
  for await (const line of log) if (line.includes('"message":"joined"')) break;
  child.stdout.resume();
}

it("restarts one instance after the other under load, and no request notices", async () => {
  const names = ["example-1", "example-2", "example-3"];
  await Promise.all(names.map(start));
  const endpoints = [`http://127.0.0.1:${node.address.port}`];
  const coordinator = connectEtcd({ endpoints, token });
  const resolver = coordinatorResolver(coordinator, { fleet: "local" });
  // One attempt a call: what is counted here is the drain's doing, not that of retries.
  const client = createServiceClient("example", { resolver, policy: { retry: false } });

  let answered = 0;
  const failures: unknown[] = [];
  let over = false;
  const caller = async (): Promise<void> => {
    while (!over) {
      try {
        const call = { method: "GET", path: "/slow/5", idempotent: false };
        const { status } = await client.request(call);
        if (status === 200) answered += 1;
        else failures.push(status);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  const callers = Array.from({ length: 8 }, caller);
  try {
    for (const name of names) {
      const child = children.get(name) as ChildProcess;
      child.kill("SIGTERM");
      const [code] = await once(child, "exit");
      expect(code).toBe(0);
      await start(name);
    }
    const before = answered;
    await expect.poll(() => answered - before).toBeGreaterThan(50);
  } finally {
    over = true;
    await Promise.all(callers);
    await client.close();
    resolver.close();
    await coordinator.close();
  }
  expect(failures).toEqual([]);
});
