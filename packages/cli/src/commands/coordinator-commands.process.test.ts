import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Coordinator, fleetKeys } from "tenfold/coordination";
import { formatMember, type Member } from "tenfold/discovery";
import { createCoordinatorNode } from "tenfold/engines/coordinator-node";
import { connectEtcd } from "tenfold/engines/etcd";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { main } from "../main.ts";

const token = "of-the-command-test";
const folder = mkdtempSync(join(tmpdir(), "tenfold-commands-"));
const program = new URL("../main.ts", import.meta.url).href;
let node: Awaited<ReturnType<typeof createCoordinatorNode>>;
let coordinator: Coordinator;
let url = "";

beforeAll(async () => {
  process.env.COMMAND_TEST_TOKEN = token;
  const listen = { host: "127.0.0.1", port: 0 };
  node = await createCoordinatorNode({ listen, dataFolder: folder, token });
  url = `etcd://127.0.0.1:${node.address.port}`;
  coordinator = connectEtcd({ endpoints: url, token });
});

afterAll(async () => {
  await coordinator.close();
  await node.close();
  rmSync(folder, { recursive: true });
  delete process.env.COMMAND_TEST_TOKEN;
});

interface Run {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly done: Promise<{ readonly code: number; readonly out: string; readonly err: string }>;
}

const access = (): string[] => ["--coordinator", url, "--token", "env:COMMAND_TEST_TOKEN"];

/** The program from its sources as a process of its own: for commands that wait. */
function start(name: string, ...args: readonly string[]): Run {
  const script = `import { main } from "${program}"; await main(["node", ...process.argv]);`;
  const child = spawn(
    process.execPath,
    [
      ...["--conditions=tenfold:source", "--input-type=module", "-e", script],
      ...["--", name, ...access(), ...args],
    ],
    { env: { ...process.env, NODE_OPTIONS: "" } },
  );
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const done = once(child, "close").then(([code]) => ({ code: Number(code), out, err }));
  return { child, out: () => out, done };
}

/** The same in this process, which is sooner. */
async function run(name: string, ...args: readonly string[]) {
  const told = { out: "", err: "" };
  const catchIn = (kind: "out" | "err") => (text: string | Uint8Array) => {
    told[kind] += String(text);
    return true;
  };
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation(catchIn("out")),
    vi.spyOn(process.stderr, "write").mockImplementation(catchIn("err")),
  ];
  try {
    await main(["node", "tenfold", name, ...access(), ...args]);
    return { ...told, code: Number(process.exitCode ?? 0) };
  } finally {
    process.exitCode = undefined;
    for (const spy of spies) spy.mockRestore();
  }
}

it("reads, writes and removes keys, under conditions, with exit codes for scripts", async () => {
  expect(await run("get", "/app/a")).toMatchObject({ code: 3, out: "" });
  const first = await run("put", "/app/a", "one", "--if-absent", "--json");
  expect(first.code).toBe(0);
  const { revision } = JSON.parse(first.out);
  const again = await run("put", "/app/a", "two", "--if-absent");
  const read = await run("get", "/app/a");
  const all = await run("get", "/app/", "--prefix", "--json");
  const stale = await run("delete", "/app/a", "--if-revision", "1");
  expect(again).toMatchObject({
    code: 3,
    out: `Nothing written: /app/a stands at revision ${revision}.\n`,
  });
  expect(read).toMatchObject({ code: 0, out: "one\n" });
  expect(JSON.parse(all.out).entries).toMatchObject([{ key: "/app/a", value: "one", revision }]);
  expect(stale.code).toBe(3);
  expect((await run("put", "/app/a", "two", "--if-revision", revision)).code).toBe(0);
  expect((await run("delete", "/app/a")).code).toBe(0);
  expect((await run("delete", "/app/a")).code).toBe(3);
});

it("keeps its hands off a fleet's own keys, unless forced", async () => {
  const key = "/tenfold/f/settings/x";
  const put = await run("put", key, "1");
  const remove = await run("delete", key);
  const forced = await run("put", "/tenfold/f/other", "1", "--force");
  for (const refused of [put, remove]) {
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("TENFOLD_OPTION_INVALID");
  }
  expect(forced.code).toBe(0);
  expect(await coordinator.get(key)).toBeUndefined();
});

it("tells what went wrong: no such scheme, nobody there, a wrong token", async () => {
  const scheme = await run("get", "/a", "--coordinator", "ftp://x");
  const nobody = await run("get", "/a", "--coordinator", "etcd://127.0.0.1:1");
  const refused = await run("get", "/a", "--token", "env:PATH");
  expect(scheme).toMatchObject({ code: 1 });
  expect(scheme.err).toContain("TENFOLD_COORDINATION_ENDPOINT_INVALID");
  expect(nobody.err).toContain("TENFOLD_COORDINATION_UNAVAILABLE");
  expect(refused.err).toContain("TENFOLD_COORDINATION_REFUSED");
});

it("prints what is there and every change, until it is interrupted", async () => {
  await coordinator.transact({ change: [{ put: "/watched/a", value: "1" }] });
  const watch = start("watch", "/watched/");
  await expect.poll(watch.out).toBe("+ /watched/a 1\n");
  await coordinator.transact({ change: [{ put: "/watched/b", value: "2" }] });
  await coordinator.transact({ change: [{ delete: "/watched/a" }] });
  const all = "+ /watched/a 1\n+ /watched/b 2\n- /watched/a\n";
  await expect.poll(watch.out).toBe(all);
  watch.child.kill("SIGINT");
  expect((await watch.done).code).toBe(0);
});

it("lists members", async () => {
  const member: Member = {
    id: "posts-1",
    service: "posts",
    host: "a",
    zone: "z1",
    address: "127.0.0.1",
    port: 7_000,
    protocol: "http",
    version: "1.2.3",
    weight: 2,
    load: { utilisation: 0.5, requests: 3 },
    startedAtMs: Date.now() - 60_000,
  };
  const key = fleetKeys("f").member("posts", "posts-1");
  await coordinator.transact({ change: [{ put: key, value: formatMember(member) }] });
  const text = await run("members", "--fleet", "f");
  const json = await run("members", "posts", "--fleet", "f", "--json");
  const none = await run("members", "guid", "--fleet", "f", "--json");
  const unsaid = await run("members");
  expect(text.out).toMatch(/posts-1 +posts +a +z1 +http:\/\/127.0.0.1:7000 +1.2.3 +2 +50 %, 3/);
  expect(JSON.parse(json.out)).toEqual([member]);
  expect(JSON.parse(none.out)).toEqual([]);
  expect(unsaid.err).toContain("--fleet");
});

const print = "console.log(process.env.TENFOLD_FENCING_TOKEN); process.exit(5)";
const stay = "console.log(process.env.TENFOLD_FENCING_TOKEN); setInterval(() => {}, 1e3)";

it("runs a command under a lock, one after the other, with growing tokens", async () => {
  const all = await Promise.all(
    [1, 2].map(() => start("lock", "nightly", "--", process.execPath, "-e", print).done),
  );
  const tokens = all.map(({ out }) => out.trim());
  expect(all.map(({ code }) => code)).toEqual([5, 5]);
  expect(new Set(tokens).size).toBe(2);
  for (const each of tokens) expect(each).toMatch(/^[0-9a-f]{8}\.[0-9a-f]{16}$/);
});

it("kills the command when the term is lost, and lets the next one lead with a greater token", async () => {
  const command = ["--", process.execPath, "-e", stay];
  const first = start("elect", "head", "--ttl-ms", "1000", ...command);
  await expect.poll(first.out).not.toBe("");
  const late = await run("elect", "head", "--wait-ms", "0", ...command);
  expect(late.code).toBe(124);
  const second = start("elect", "head", "--ttl-ms", "1000", ...command);
  const line = async () => (await coordinator.list("/elections/head/")).entries;
  await expect.poll(async () => (await line()).length).toBe(2);
  // The holder is frozen; its command is not: that is what the token is for.
  first.child.kill("SIGSTOP");
  await expect.poll(second.out).not.toBe("");
  expect(second.out().trim() > first.out().trim()).toBe(true);
  first.child.kill("SIGCONT");
  const lost = await first.done;
  expect(lost.code).toBe(75);
  expect(lost.err).toContain("the hold was lost");
  // Ctrl-C goes to the command, whose end ends the term.
  second.child.kill("SIGINT");
  expect((await second.done).code).toBe(130);
  await expect.poll(async () => (await line()).length).toBe(0);
});
