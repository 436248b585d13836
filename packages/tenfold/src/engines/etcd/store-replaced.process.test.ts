import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import type { Coordinator, WatchBatch } from "../../coordination/coordinator.ts";
import { raiseGeneration } from "../../coordination/generation.ts";
import { eventually } from "../../testing/coordinator-steps.ts";
import { type CoordinatorNode, createCoordinatorNode } from "../coordinator-node/node.ts";
import { connectEtcd } from "./client.ts";

let folder: string;
let node: CoordinatorNode;
let client: Coordinator;

const start = async (data: string, port: number): Promise<void> => {
  const listen = { host: "127.0.0.1", port };
  node = await createCoordinatorNode({ listen, dataFolder: join(folder, data), token: undefined });
};
const connect = () => connectEtcd({ endpoints: `etcd://127.0.0.1:${node.address.port}` });
const put = (of: Coordinator, key: string) => of.transact({ change: [{ put: key, value: "1" }] });
const replaced = expect.objectContaining({ code: "TENFOLD_COORDINATION_STORE_REPLACED" });

/** Ends the node and starts it on another folder, on the same port. */
async function replaceBy(data: string): Promise<void> {
  const { port } = node.address;
  await node.close();
  await start(data, port);
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tenfold-replaced-"));
  await start("now", 0);
  client = connect();
});
afterEach(async () => {
  await client.close();
  await node.close();
  await rm(folder, { recursive: true, force: true });
});

test("an older backup is not written to until its generation is raised", async () => {
  await put(client, "/m/kept");
  const { port } = node.address;
  await node.close();
  await cp(join(folder, "now"), join(folder, "backup"), { recursive: true });
  await start("now", port);
  const session = await client.openSession({ ttlMs: 60_000 });
  for (let i = 0; i < 20; i++) await put(client, "/m/lost");
  const before = await client.createOrdered({ prefix: "/q/", value: "", session });
  const stop = new AbortController();
  const batches: WatchBatch[] = [];
  const watching = (async () => {
    for await (const batch of client.watch("/m/", { signal: stop.signal })) batches.push(batch);
  })();
  await eventually("the watch begins", () => batches.length === 1);

  await replaceBy("backup");
  await expect(put(client, "/m/new")).rejects.toEqual(replaced);
  await expect(client.get("/m/kept")).rejects.toEqual(replaced);
  await expect(client.list("/m/")).rejects.toEqual(replaced);
  await expect(client.openSession({ ttlMs: 5_000 })).rejects.toEqual(replaced);
  expect(session.state).toBe("lost");
  expect(batches).toHaveLength(1);

  const fresh = connect();
  expect(await fresh.get("/m/new")).toBeUndefined();
  await raiseGeneration(fresh, Date.now());
  // The one that raised it goes on as well, in the new generation.
  const late = await fresh.openSession({ ttlMs: 60_000 });
  const after = await fresh.createOrdered({ prefix: "/q/", value: "", session: late });
  expect(after.token > before.token).toBe(true);
  expect((await fresh.get(after.key))?.createRevision).toBeLessThan(20n);
  await fresh.close();

  await put(client, "/m/new");
  await eventually("the watch goes on", () =>
    batches.some(({ kind }, i) => i > 0 && kind === "snapshot"),
  );
  const snapshot = batches.find(({ kind }, i) => i > 0 && kind === "snapshot");
  expect(snapshot?.changes).toContainEqual({ kind: "delete", key: "/m/lost" });
  expect(snapshot?.entries.map(({ key }) => key)).toContain("/m/kept");
  stop.abort();
  await watching;
});

test("an empty store on the same address is another one", async () => {
  await put(client, "/m/a");
  await replaceBy("empty");
  await expect(put(client, "/m/b")).rejects.toEqual(replaced);
  const fresh = connect();
  expect((await fresh.list("/")).entries).toEqual([]);
  await fresh.close();
  // The one that was wrongly gone comes back: nothing has to be raised.
  await replaceBy("now");
  expect(await client.get("/m/a")).toBeDefined();
});

test("a generation raised under a living client ends its sessions", async () => {
  const session = await client.openSession({ ttlMs: 60_000 });
  const before = await client.createOrdered({ prefix: "/q/", value: "", session });
  const other = connect();
  await raiseGeneration(other, Date.now());
  await other.close();
  const result = await put(client, "/m/a");
  expect(result.outcome === "applied" && result.token > before.token).toBe(true);
  expect(result.outcome === "applied" && result.token.slice(0, 8) > "00000001").toBe(true);
  expect(session.state).toBe("lost");
});
