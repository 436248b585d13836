import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

interface Report {
  readonly way?: string;
  readonly pids?: readonly number[];
  readonly error?: { readonly code: string; readonly message: string };
}

const nobody = 65_534;
const isRoot = process.getuid?.() === 0;
const rootOnly = isRoot ? "" : " (skipped: not here: it takes root)";
const module = new URL("./local-store.ts", import.meta.url).href;
const script = `
  import { createLocalStore } from ${JSON.stringify(module)};
  const [folder, standbys] = process.argv.slice(1);
  const options = { store: "t", shards: 1, standbys: Number(standbys), folder, resolveFrom: ${JSON.stringify(import.meta.url)} };
  try {
    const store = await createLocalStore(options);
    const pids = store.shards[0].map((server) => store.process(server).pid);
    console.log(JSON.stringify({ way: store.engine.runAs.way, pids }));
  } catch ({ code, message }) {
    console.log(JSON.stringify({ error: { code, message } }));
  }
`;

let base: string;
let child: ChildProcess | undefined;
let servers: readonly number[] = [];

beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), "tenfold-run-as-")));
  await chmod(base, 0o755);
  await mkdir(join(base, "bin"));
  await mkdir(join(base, "store"), { mode: 0o700 });
});

afterEach(async () => {
  child?.kill("SIGKILL");
  // Should they outlive their parent, the test has failed, but nothing is left running.
  for (const pid of servers.filter(isAlive)) process.kill(pid, "SIGKILL");
  servers = [];
  await rm(base, { recursive: true, force: true });
});

/** A program of its own that brings a shard up and says how; only `tools` are on its PATH. */
async function bringUp(user: number, tools: readonly string[], standbys = 0): Promise<Report> {
  for (const tool of tools) await symlink(`/usr/bin/${tool}`, join(base, "bin", tool));
  const identity = user === 0 ? {} : { uid: user, gid: user };
  child = spawn(
    process.execPath,
    [
      "--conditions=tenfold:source",
      "--input-type=module",
      "-e",
      script,
      join(base, "store"),
      String(standbys),
    ],
    {
      ...identity,
      cwd: "/",
      env: { PATH: join(base, "bin"), NODE_NO_WARNINGS: "1" },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const [line] = (await once(lines, "line")) as [string];
  const report = JSON.parse(line) as Report;
  servers = report.pids ?? [];
  return report;
}

/** A zombie is dead, but the machine's first process may take its time to bury it. */
function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}/exe`);
}

async function expectDeathWithParent(): Promise<void> {
  expect(servers.length).toBeGreaterThan(0);
  expect(servers.filter(isAlive)).toEqual(servers);
  child?.kill("SIGKILL");
  await expect.poll(() => servers.filter(isAlive)).toEqual([]);
}

const linuxOnly = process.platform === "linux" ? "" : " (skipped: not here: it takes Linux)";
describe.runIf(linuxOnly === "")(`how a server is run${linuxOnly}`, () => {
  test("as an ordinary user: directly, and it dies with its parent", async () => {
    if (isRoot) await chown(join(base, "store"), nobody, nobody);
    const user = isRoot ? nobody : 0;
    const { way, error } = await bringUp(user, ["setpriv"], 1);
    expect(error).toBeUndefined();
    expect(way).toBe("direct");
    await expectDeathWithParent();
  });

  // The ways below exist for root only.
  test.runIf(isRoot)(
    `as root: in a user namespace, and it dies with its parent${rootOnly}`,
    async () => {
      const { way, error } = await bringUp(0, ["unshare", "setpriv"]);
      expect(error).toBeUndefined();
      expect(way).toBe("user-namespace");
      await expectDeathWithParent();
    },
  );

  test.runIf(isRoot)(`as root without user namespaces: as the user nobody${rootOnly}`, async () => {
    const { way, error } = await bringUp(0, ["setpriv"]);
    expect(error).toBeUndefined();
    expect(way).toBe("other-user");
    await expectDeathWithParent();
  });

  test.runIf(isRoot)(
    `as nobody, below a folder that nobody may enter: one clear error${rootOnly}`,
    async () => {
      await chmod(base, 0o700);
      const { error } = await bringUp(0, ["setpriv"]);
      expect(error).toMatchObject({ code: "TENFOLD_POSTGRES_PRIVILEGES" });
      expect(error?.message).toContain(base);
    },
  );
});
