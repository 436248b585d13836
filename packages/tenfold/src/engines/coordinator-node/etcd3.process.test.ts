import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Etcd3 } from "etcd3";
import { expect, test } from "vitest";

import { createCoordinatorNode } from "./node.ts";

test("npm etcd3, on grpc-js: puts, watches, leases, large values, many at a time", async () => {
  const dataFolder = await mkdtemp(join(tmpdir(), "tenfold-etcd3-"));
  const listen = { host: "127.0.0.1", port: 0 };
  const node = await createCoordinatorNode({ listen, dataFolder, token: undefined });
  const client = new Etcd3({ hosts: `http://127.0.0.1:${node.address.port}` });
  try {
    const watcher = await client.watch().prefix("many/").create();
    const seen = new Set<string>();
    watcher.on("put", ({ key }) => void seen.add(key.toString()));
    const names = Array.from({ length: 300 }, (_, at) => `many/${at}`);
    await Promise.all(names.map((name) => client.put(name).value(name)));
    expect(Object.keys(await client.getAll().prefix("many/").strings())).toHaveLength(300);
    await expect.poll(() => seen.size, { timeout: 30_000 }).toBe(300);

    const large = "x".repeat(1_000_000);
    await client.put("large").value(large);
    expect(await client.get("large").string()).toBe(large);

    const lease = client.lease(60);
    await lease.put("leased").value("1");
    const removed = once(await client.watch().key("leased").create(), "delete");
    await lease.revoke();
    await removed;
    expect(await client.get("leased").string()).toBeNull();
    await expect(client.put("").value("1")).rejects.toThrow("key is not provided");
  } finally {
    client.close();
    await node.close();
    await rm(dataFolder, { recursive: true, force: true });
  }
});
