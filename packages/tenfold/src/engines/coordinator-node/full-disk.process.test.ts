import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

import type { Coordinator } from "../../coordination/coordinator.ts";
import { connectEtcd } from "../etcd/client.ts";
import { createCoordinatorNode } from "./node.ts";

const dataFolder = await mkdtemp(join(tmpdir(), "tenfold-full-disk-"));
afterAll(() => rm(dataFolder, { recursive: true }));

/** A node whose files may have 300 KiB: what is over fails as on a full disk. */
async function startConfined() {
  const file = fileURLToPath(new URL("./node-process.fixture.ts", import.meta.url));
  const confine = 'trap "" XFSZ; ulimit -f 300; exec "$@"';
  const node = [process.execPath, "--conditions=tenfold:source", "--no-warnings", file];
  const child = spawn("bash", ["-c", confine, "bash", ...node], {
    env: { ...process.env, NODE_OPTIONS: "", NODE_FOLDER: dataFolder },
    stdio: ["ignore", "pipe", "ignore", "ipc"],
  });
  const [line] = await once(child.stdout as NodeJS.ReadableStream, "data");
  return { child, endpoints: `http://127.0.0.1:${Number(String(line))}` };
}

const put = (client: Coordinator, key: string, value: string) =>
  client.transact({ change: [{ put: key, value }] });
const large = "x".repeat(20_000);

test("a full disk refuses writes and goes on reading; what was answered is there after it", async () => {
  const { child, endpoints } = await startConfined();
  const client = connectEtcd({ endpoints });
  const written: string[] = [];
  const full = expect.objectContaining({ code: "TENFOLD_COORDINATION_REFUSED" });
  let refusal: unknown;
  while (refusal === undefined && written.length < 100) {
    const key = `k${written.length}`;
    await put(client, key, large).then(
      () => void written.push(key),
      (error: unknown) => {
        refusal = error;
      },
    );
  }
  expect(refusal).toEqual(full);
  expect(String(refusal)).toContain("etcdserver: mvcc: database space exceeded");
  expect(written.length).toBeGreaterThan(5);
  // Its half is not left behind: what is small still has room, and what is large has none.
  await put(client, "small", "1");
  await expect(put(client, "large", large)).rejects.toEqual(full);
  await expect(client.openSession({ ttlMs: 5_000 })).resolves.toBeDefined();
  expect((await client.list("k")).entries.map(({ key }) => key).sort()).toEqual(written.sort());
  expect(await client.get("large")).toBeUndefined();
  await client.close();
  child.kill("SIGKILL");
  await once(child, "exit");

  const listen = { host: "127.0.0.1", port: 0 };
  const node = await createCoordinatorNode({ listen, dataFolder, token: undefined });
  const after = connectEtcd({ endpoints: `http://127.0.0.1:${node.address.port}` });
  const stored = (await after.list("")).entries.map(({ key }) => key).sort();
  expect(stored).toEqual([...written, "small"].sort());
  await put(after, "large", large);
  await after.close();
  await node.close();
});
