import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Coordinator } from "tenfold/coordination";
import { connectEtcd } from "tenfold/engines/etcd";
import { afterAll, afterEach, expect, test, vi } from "vitest";

import { main } from "../main.ts";

const program = new URL("../main.ts", import.meta.url).href;
const folder = mkdtempSync(join(tmpdir(), "tenfold-coordinator-command-"));
const open: { close(): Promise<unknown> }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function start(...args: string[]): {
  child: ChildProcess;
  done: Promise<Ran>;
  line(): Promise<string>;
} {
  const script = `import { main } from "${program}"; await main(["node", ...process.argv]);`;
  const options = ["--conditions=tenfold:source", "--no-warnings", "--input-type=module", "-e"];
  const child = spawn(process.execPath, [...options, script, "--", "coordinator", ...args], {
    env: { ...process.env, NODE_OPTIONS: "", OWN_TOKEN: "own", PASSWORD: "of ann" },
  });
  const said = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said.out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said.err += text;
  });
  const done = once(child, "close").then(([code]) => ({ code, ...said }));
  open.push({
    async close() {
      child.kill("SIGKILL");
      await done;
    },
  });
  const line = async (): Promise<string> => {
    const ended = done.then(({ err }) => {
      throw new Error(`it ended before it was ready: ${err}`);
    });
    while (!said.out.includes("\n")) await Promise.race([once(child.stdout, "data"), ended]);
    return said.out;
  };
  return { child, done, line };
}

const run = (...args: string[]): Promise<Ran> => start(...args).done;

async function serve(
  ...args: string[]
): Promise<{ url: string; child: ChildProcess; done: Promise<Ran> }> {
  const { line, ...process } = start("--listen", "127.0.0.1:0", "--json", ...args);
  return { url: JSON.parse(await line()).url, ...process };
}

function connect(endpoints: string, credentials: object = {}): Coordinator {
  const client = connectEtcd({ endpoints, ...credentials });
  open.push(client);
  return client;
}

const put = async (client: Coordinator, key: string): Promise<string> => {
  const options = { timeoutMs: 20_000 };
  const result = await client.transact({ change: [{ put: key, value: "1" }] }, options);
  if (result.outcome !== "applied") throw new Error(result.outcome);
  return result.token;
};

/** The first part of a fencing token, in hex. */
const tokenGeneration = (token: string): number => Number.parseInt(token.split(".")[0] ?? "", 16);

/** In this process: for what ends before it serves. */
async function refused(...args: readonly string[]): Promise<string> {
  const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  try {
    await main(["node", "tenfold", "coordinator", ...args]);
    expect(process.exitCode, args.join(" ")).toBe(1);
    return write.mock.calls.join("");
  } finally {
    process.exitCode = 0;
    write.mockRestore();
  }
}

test("it serves users and holders of the token, and drains on SIGTERM", async () => {
  const maker = start("user", "ann");
  maker.child.stdin?.end("of ann\n");
  const users = join(folder, "users");
  writeFileSync(users, (await maker.done).out);
  const data = join(folder, "data");
  const served = await serve("--data", data, "--token", "env:OWN_TOKEN", "--users", users);
  const client = connect(served.url, { user: "ann", password: "of ann" });
  await put(client, "a");
  expect((await connect(served.url, { token: "own" }).get("a"))?.value).toBe("1");
  await expect(connect(served.url, { user: "ann", password: "x" }).get("a")).rejects.toMatchObject({
    code: "TENFOLD_COORDINATION_REFUSED",
  });
  const writing = Array.from({ length: 200 }, (_, i) => put(client, `k${i}`));
  const settled = Promise.allSettled(writing);
  await Promise.any(writing);
  served.child.kill("SIGTERM");
  const written = await settled;
  expect(await served.done).toMatchObject({ code: 0 });
  const again = await serve("--data", data);
  const stored = await connect(again.url).list("k");
  const answered = written.filter(({ status }) => status === "fulfilled").length;
  expect(stored.entries.length).toBeGreaterThanOrEqual(answered);
});

test("a snapshot restored elsewhere has all its keys, and tokens that go on growing", async () => {
  const served = await serve("--data", join(folder, "first"));
  const client = connect(served.url);
  await put(client, "a");
  const file = join(folder, "snapshot");
  const saved = await run("snapshot", file, "--url", served.url, "--json");
  expect(JSON.parse(saved.out)).toEqual({ file, bytes: readFileSync(file).length });
  // What came after the backup is lost with the machine; its tokens are out in the world.
  let last = "";
  for (let i = 0; i < 20; i++) last = await put(client, "later");
  await client.close();
  const data = join(folder, "second");
  const restored = JSON.parse((await run("restore", file, "--data", data, "--json")).out);
  expect(restored).toMatchObject({ keys: 2, revision: "3" });
  const other = connect((await serve("--data", data)).url);
  expect((await other.get("a"))?.value).toBe("1");
  const next = await put(other, "later");
  expect(next > last).toBe(true);
  expect(tokenGeneration(next)).toBe(restored.generation);

  const occupied = await refused("restore", file, "--data", data);
  expect(occupied).toContain("TENFOLD_COORDINATOR_NODE_FOLDER_NOT_EMPTY");
  const cut = join(folder, "cut");
  for (const length of [0, 100, readFileSync(file).length - 1]) {
    writeFileSync(cut, readFileSync(file).subarray(0, length));
    expect(await refused("restore", cut, "--data", join(folder, "third"))).toContain(
      "TENFOLD_COORDINATOR_NODE_SNAPSHOT_INVALID",
    );
  }
});

test("adopt raises the generation of a store that was put back by other means", async () => {
  const served = await serve("--data", join(folder, "data"));
  const before = await put(connect(served.url), "a");
  const adopted = await run("adopt", "--url", served.url, "--json");
  const { generation } = JSON.parse(adopted.out);
  const after = await put(connect(served.url), "a");
  expect([tokenGeneration(before), tokenGeneration(after)]).toEqual([0, generation]);
});

test("bad options end it with a code, and make no folder", async () => {
  const data = join(folder, "data");
  const missing = join(folder, "missing");
  for (const [args, code] of [
    [["--listen", "nowhere"], "TENFOLD_OPTION_INVALID"],
    [["--listen", "127.0.0.1:99999"], "TENFOLD_OPTION_INVALID"],
    [["--listen", "0.0.0.0:0"], "TENFOLD_COORDINATOR_NODE_EXPOSED"],
    [["--listen", "0.0.0.0:0", "--token", "env:PATH"], "TENFOLD_COORDINATOR_NODE_EXPOSED"],
    [["--token", "literal"], "TENFOLD_OPTION_INVALID"],
    [["--token", "env:NOWHERE_SET"], "TENFOLD_FLEET_SECRET_UNREADABLE"],
    [["--users", missing], "TENFOLD_OPTION_INVALID"],
    [["--users", import.meta.filename], "TENFOLD_COORDINATOR_NODE_USERS_INVALID"],
    [["--cert", missing], "TENFOLD_OPTION_INVALID"],
    [["restore", missing, "--data", data], "TENFOLD_OPTION_INVALID"],
    [["restore", import.meta.filename], "TENFOLD_OPTION_INVALID"],
    [["snapshot", missing, "--url", "ftp://x"], "TENFOLD_COORDINATION_ENDPOINT_INVALID"],
  ] as const) {
    const isServe = args[0].startsWith("--");
    expect(await refused(...(isServe ? ["--data", data] : []), ...args)).toContain(code);
  }
  expect(() => readFileSync(data)).toThrow("ENOENT");
  expect(() => readFileSync(missing)).toThrow("ENOENT");
});
