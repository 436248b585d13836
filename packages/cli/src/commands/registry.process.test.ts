import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fleetKeys } from "tenfold/coordination";
import { connectEtcd } from "tenfold/engines/etcd";
import { afterAll, afterEach, expect, test } from "vitest";

const program = new URL("../main.ts", import.meta.url).href;
const folder = mkdtempSync(join(tmpdir(), "tenfold-registry-command-"));
const token = "a-token-of-24-characters";
const running: ChildProcess[] = [];

afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Starts a command and waits for a line that tells where it listens. */
async function serve(name: "url" | "registry", ...args: string[]) {
  const script = `import { main } from "${program}"; await main(["node", ...process.argv]);`;
  const options = ["--conditions=tenfold:source", "--no-warnings", "--input-type=module", "-e"];
  const child = spawn(process.execPath, [...options, script, "--", ...args, "--json"], {
    env: { PATH: process.env.PATH, TENFOLD_DATA: join(folder, "registry"), OWN_TOKEN: token },
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.push(child);
  const done = once(child, "exit").then(([code]) => code as number | null);
  for await (const line of createInterface({ input: child.stdout })) {
    const url = (JSON.parse(line) as Partial<Record<string, string>>)[name];
    if (url === undefined) continue;
    child.stdout.resume();
    return { child, done, url };
  }
  throw new Error(`${args[0]} ended with ${await done} before it listened`);
}

/** The ids in each list that a watch tells, as they come. */
async function follow(url: string, headers: Record<string, string>) {
  const response = await fetch(`${url}/v1/services/billing/watch`, { headers });
  let text = "";
  const ended = (async () => {
    const decoder = new TextDecoder();
    for await (const part of response.body ?? []) text += decoder.decode(part, { stream: true });
  })();
  const lists = (): string[][] =>
    [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) =>
      JSON.parse(data as string).members.map(({ id }: { id: string }) => id),
    );
  return { lists, ended };
}

test("alone beside a coordinator it registers, lists and tells, and drains on SIGTERM", async () => {
  const access = ["--token", "env:OWN_TOKEN"];
  const listen = ["--listen", "127.0.0.1:0"];
  const data = join(folder, "coordinator");
  const { url: etcd } = await serve("url", "coordinator", ...listen, "--data", data, ...access);
  const start = () =>
    serve("registry", "registry", ...listen, "--coordinator", etcd, "--fleet", "shop", ...access);
  const registry = await start();
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const ask = (method: string, path: string, body?: object): Promise<Response> =>
    fetch(`${registry.url}/v1/services/${path}`, {
      method,
      headers,
      ...(body && { body: JSON.stringify(body) }),
    });
  const place = { address: "127.0.0.1", port: 1, ttlMs: 600_000 };

  const stranger = await fetch(`${registry.url}/v1/services`);
  expect(stranger.status).toBe(401);
  expect((await ask("PUT", "billing/b-1", place)).status).toBe(201);
  expect((await ask("POST", "billing/b-1/heartbeat")).status).toBe(200);
  expect(await (await ask("GET", "billing")).json()).toMatchObject({
    members: [{ id: "b-1", port: 1 }],
  });
  const watch = await follow(registry.url, headers);
  await expect.poll(watch.lists).toEqual([["b-1"]]);
  expect((await ask("PUT", "billing/b-2", place)).status).toBe(201);
  await expect.poll(() => watch.lists().at(-1)).toEqual(["b-1", "b-2"]);
  expect((await ask("DELETE", "billing/b-1")).status).toBe(204);
  await expect.poll(() => watch.lists().at(-1)).toEqual(["b-2"]);

  registry.child.kill("SIGTERM");
  expect(await registry.done).toBe(0);
  await watch.ended;
  // Those who beat must not notice: another registry takes over what this one kept.
  const client = connectEtcd({ endpoints: etcd, token });
  const { entries } = await client.list(`${fleetKeys("shop").members()}billing/`);
  await client.close();
  expect(entries.map(({ key }) => key.split("/").at(-1))).toEqual(["b-2"]);
  const next = await start();
  const beat = `${next.url}/v1/services/billing/b-2/heartbeat`;
  expect((await fetch(beat, { method: "POST", headers })).status).toBe(200);
});
