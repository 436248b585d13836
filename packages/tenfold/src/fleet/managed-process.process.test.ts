import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import {
  createManagedProcess,
  type ManagedProcess,
  type ProcessChange,
} from "./managed-process.ts";
import { spawnChild } from "./spawn-child.ts";

let folder: string;
let running: ManagedProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tenfold-managed-"));
});
afterEach(async () => {
  await running?.stop();
  await rm(folder, { recursive: true, force: true });
});

const script = `
  process.on("SIGTERM", () => process.exit(0));
  process.on("disconnect", () => process.exit(9));
  setInterval(() => {}, 1000);
  console.log("up", process.pid);
`;

function manage(code: string, options: { alive?: () => boolean } = {}) {
  const changes: ProcessChange[] = [];
  const managed = createManagedProcess({
    name: "child",
    spawn: () =>
      spawnChild({
        command: process.execPath,
        args: ["-e", code],
        env: { PATH: process.env.PATH ?? "" },
        cwd: folder,
        logFile: join(folder, "child.log"),
        program: true,
      }),
    isReady: async () => (await log()).includes(`up ${managed.status().pid}`),
    isAlive: async () => options.alive?.() ?? true,
    stopSignal: "SIGTERM",
    stopGraceMs: 2_000,
    onChange: (change) => changes.push(change),
  });
  running = managed;
  return { managed, changes };
}

const log = () => readFile(join(folder, "child.log"), "utf8").catch(() => "");
const ready = (managed: ManagedProcess) => managed.whenReady(AbortSignal.timeout(10_000));

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error("the condition was not met in time");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test("a killed process comes back, and its end is told as unexpected", async () => {
  const { managed, changes } = manage(script);
  managed.start();
  await ready(managed);
  const first = managed.status().pid;
  expect(managed.signal("SIGKILL")).toBe(true);
  await until(() => managed.status().restarts === 1);
  await ready(managed);
  expect(managed.status().pid).not.toBe(first);
  expect(managed.status().lastExit).toBe("SIGKILL");
  expect(changes.filter(({ unexpected }) => unexpected)).toHaveLength(1);
});

test("a restart on request is no unexpected end and waits until it is ready", async () => {
  const { managed, changes } = manage(script);
  managed.start();
  await ready(managed);
  const first = managed.status().pid;
  await managed.restart(AbortSignal.timeout(10_000));
  expect(managed.status().state).toBe("ready");
  expect(managed.status().pid).not.toBe(first);
  expect(changes.some(({ unexpected }) => unexpected)).toBe(false);
});

test("one that ignores SIGTERM is killed after its grace; a stopped one can still end", async () => {
  const stubborn = manage(
    `process.on("SIGTERM", () => {}); ${script.replace(/.*SIGTERM.*\n/, "")}`,
  );
  stubborn.managed.start();
  await ready(stubborn.managed);
  await stubborn.managed.stop();
  expect(stubborn.managed.status()).toMatchObject({ state: "stopped", lastExit: "SIGKILL" });

  const { managed } = manage(script);
  managed.start();
  await ready(managed);
  managed.signal("SIGSTOP");
  await managed.stop();
  expect(managed.status()).toMatchObject({ state: "stopped", lastExit: "exit code 0" });
});

test("one that no longer answers is killed and started again", async () => {
  let alive = true;
  const { managed } = manage(script, { alive: () => alive });
  managed.start();
  await ready(managed);
  alive = false;
  await until(() => managed.status().restarts === 1);
  alive = true;
  await ready(managed);
});

test("a command that does not exist is told, not thrown", async () => {
  const changes: string[] = [];
  const managed = createManagedProcess({
    name: "none",
    spawn: () =>
      spawnChild({
        command: join(folder, "no-such-program"),
        args: [],
        env: {},
        cwd: folder,
        logFile: join(folder, "none.log"),
        program: false,
      }),
    isReady: async () => false,
    isAlive: async () => false,
    stopSignal: "SIGTERM",
    stopGraceMs: 100,
    onChange: ({ message }) => changes.push(message),
  });
  running = managed;
  managed.start();
  await until(() => changes.some((message) => message.includes("ENOENT")));
});
