import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { type Clock, systemClock } from "../runtime/clock.ts";
import {
  createManagedProcess,
  type ManagedProcess,
  type ProcessChange,
} from "./managed-process.ts";
import { spawnChild } from "./spawn-child.ts";

const patienceMs = 60_000;
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

function spawnOf(code: string) {
  return () =>
    spawnChild({
      command: process.execPath,
      args: ["-e", code],
      env: { PATH: process.env.PATH ?? "" },
      cwd: folder,
      logFile: join(folder, "child.log"),
      program: true,
    });
}

function manage(code: string, options: { alive?: () => boolean; stopGraceMs?: number } = {}) {
  const changes: ProcessChange[] = [];
  const managed = createManagedProcess({
    name: "child",
    spawn: spawnOf(code),
    isReady: async () => (await log()).includes(`up ${managed.status().pid}`),
    isAlive: async () => options.alive?.() ?? true,
    stopSignal: "SIGTERM",
    stopGraceMs: options.stopGraceMs ?? patienceMs,
    onChange: (change) => changes.push(change),
  });
  running = managed;
  return { managed, changes };
}

const log = () => readFile(join(folder, "child.log"), "utf8").catch(() => "");
const ready = (managed: ManagedProcess) => managed.whenReady(AbortSignal.timeout(patienceMs));

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + patienceMs;
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
  await managed.restart(AbortSignal.timeout(patienceMs));
  expect(managed.status().state).toBe("ready");
  expect(managed.status().pid).not.toBe(first);
  expect(changes.some(({ unexpected }) => unexpected)).toBe(false);
});

test("one that ignores SIGTERM is killed after its grace; a stopped one can still end", async () => {
  const stubborn = manage(
    `process.on("SIGTERM", () => {}); ${script.replace(/.*SIGTERM.*\n/, "")}`,
    { stopGraceMs: 1_000 },
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

test("a spawn that throws counts as an end, and is tried again", async () => {
  let tries = 0;
  const changes: ProcessChange[] = [];
  const managed = createManagedProcess({
    name: "none",
    spawn() {
      tries += 1;
      throw new Error("no room for its log");
    },
    isReady: async () => false,
    isAlive: async () => false,
    stopSignal: "SIGTERM",
    stopGraceMs: 100,
    onChange: (change) => changes.push(change),
  });
  running = managed;
  managed.start();
  await until(() => tries === 3);
  expect(changes.filter(({ unexpected }) => unexpected)[0]?.message).toBe(
    "ended: could not be started: no room for its log",
  );
});

test("what was stopped does not start any more", async () => {
  const { managed, changes } = manage(script);
  await managed.stop();
  managed.start();
  expect(managed.status()).toMatchObject({ state: "stopped", pid: undefined });
  expect(changes).toEqual([]);
});

test("a restart on request does not wait for the back-off of a crash loop", async () => {
  let broken = true;
  const healthy = spawnOf(script);
  const failing = spawnOf("process.exit(3)");
  const managed = createManagedProcess({
    name: "child",
    spawn: () => (broken ? failing() : healthy()),
    isReady: async () => (await log()).includes(`up ${managed.status().pid}`),
    isAlive: async () => true,
    stopSignal: "SIGTERM",
    stopGraceMs: 2_000,
    onChange: () => {},
  });
  running = managed;
  managed.start();
  await until(() => managed.status().state === "failed");
  broken = false;
  await managed.restart(AbortSignal.timeout(patienceMs));
  expect(managed.status().state).toBe("ready");
});

test("one that never answers in its start is killed and started again", async () => {
  const fast: Clock = {
    ...systemClock,
    setTimer: (delayMs, run, options) => systemClock.setTimer(delayMs / 100, run, options),
    sleep: (delayMs, options) => systemClock.sleep(delayMs / 100, options),
  };
  const changes: string[] = [];
  const managed = createManagedProcess({
    name: "frozen",
    spawn: spawnOf("setInterval(() => {}, 1000)"),
    isReady: async () => false,
    isAlive: async () => false,
    stopSignal: "SIGTERM",
    stopGraceMs: 2_000,
    onChange: ({ message }) => changes.push(message),
    runtime: { clock: fast },
  });
  running = managed;
  managed.start();
  await until(() => managed.status().restarts === 1);
  expect(changes).toContain("does not answer; killed");
});
