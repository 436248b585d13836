import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { BootStep, FleetEvent, FleetStatus, InstanceStatus } from "tenfold/fleet";

import { claimPorts } from "./claim-ports.ts";
import { memoryOfTree, type ProcessMemory } from "./pss.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const program = join(repository, "packages/cli/bin/tenfold.js");

export interface StartFleetOptions {
  /** Default `apps/posts/fleet.ts`. */
  readonly fleetFile?: string;
  /** An existing folder to start on again; left out, one of its own that `close` removes. */
  readonly dataFolder?: string;
  /** An etcd that runs, instead of the fleet's own coordinator: `etcd://…`. */
  readonly coordinator?: string;
  /** Which host of the fleet file, with the file that holds the token when it is not the first. */
  readonly host?: { readonly name: string; readonly tokenFile?: string };
  /** Left out, a thousand ports that are free. */
  readonly portsFrom?: number;
  /** Start with an empty data folder. */
  readonly fresh?: boolean;
  readonly bootMs?: number;
  readonly say?: (line: string) => void;
}

/** A fleet started through the built program, as a user would. */
export interface LabFleet {
  readonly dataFolder: string;
  readonly portsFrom: number;
  /** `etcd://…` */
  readonly coordinator: string;
  /** What it asks for; undefined: the fleet's token. */
  readonly coordinatorAccess: object | undefined;
  /** `http://127.0.0.1:…` */
  readonly gateway: string;
  readonly console: string;
  readonly admin: string;
  readonly token: string;
  readonly supervisorPid: number;
  /** From the start of the program to its `ready` line. */
  readonly bootMs: number;
  readonly bootSteps: readonly BootStep[];
  status(): Promise<FleetStatus>;
  events(after?: number): Promise<readonly FleetEvent[]>;
  /** Sends a signal to one process; it has its old pid no more when `waitReady` returns. */
  kill(instance: string, signal?: NodeJS.Signals): Promise<InstanceStatus>;
  /** Until the instance is ready under another pid than `afterPid`. */
  waitReady(
    instance: string,
    options?: { afterPid?: number; deadlineMs?: number },
  ): Promise<number>;
  /** Rolling restart of a service. */
  restart(service: string): Promise<void>;
  memory(): readonly ProcessMemory[];
  /** SIGKILL to the supervisor, then until every process of the fleet is gone. */
  killSupervisor(): Promise<void>;
  /** SIGTERM and wait for the end; returns how long it took. Throws when it is no orderly one. */
  stop(): Promise<number>;
  /** Stops what runs and removes the folder when it was ours. Idempotent. */
  close(): Promise<void>;
}

export const labFleetDefaults: { readonly bootMs: number; readonly deadlineMs: number } =
  Object.freeze({ bootMs: 240_000, deadlineMs: 90_000 });

interface ReadyLine {
  readonly coordinator: string;
  readonly coordinatorAccess?: object;
  readonly gateway: string;
  readonly console: string;
  readonly admin: string;
  readonly tokenFile: string;
}

/** Starts a fleet and waits until it is ready. Throws with what it said when it is not in time. */
export async function startFleet(options: StartFleetOptions = {}): Promise<LabFleet> {
  const fleetFile = options.fleetFile ?? join(repository, "apps/posts/fleet.ts");
  const bootBudgetMs = options.bootMs ?? labFleetDefaults.bootMs;
  const ours = options.dataFolder === undefined;
  const dataFolder = options.dataFolder ?? mkdtempSync(join(tmpdir(), "tenfold-fleet-"));
  const claimed = options.portsFrom === undefined ? await claimPorts() : undefined;
  const portsFrom = options.portsFrom ?? (claimed?.from as number);
  const { coordinator, host } = options;
  const began = performance.now();
  const child = spawn(
    process.execPath,
    [
      ...[program, "up", fleetFile, "--json", "--data", dataFolder, "--ports", String(portsFrom)],
      ...(options.fresh ? ["--fresh"] : []),
      ...(coordinator ? ["--coordinator", coordinator] : []),
      ...(host ? ["--host", host.name] : []),
      ...(host?.tokenFile ? ["--join", `file:${host.tokenFile}`] : []),
    ],
    {
      cwd: repository,
      // Built output is what users run, so the condition of this process must not reach it.
      env: { ...process.env, NODE_OPTIONS: "" },
      // The channel's end tells it that this process is gone, however it went.
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    },
  );
  const { ready, bootSteps } = await untilReady(
    child,
    bootBudgetMs,
    options.say ?? (() => {}),
  ).catch((error: unknown) => {
    claimed?.release();
    if (ours) rmSync(dataFolder, { recursive: true, force: true, maxRetries: 5 });
    throw error;
  });
  const bootMs = performance.now() - began;
  const token = readFileSync(ready.tokenFile, "utf8").trim();
  const ask = adminClient(ready.admin, token);
  const pid = child.pid as number;
  const status = (): Promise<FleetStatus> => ask<FleetStatus>("GET", "/v1/state");

  const fleet: LabFleet = {
    dataFolder,
    portsFrom,
    coordinator: ready.coordinator,
    coordinatorAccess: ready.coordinatorAccess,
    gateway: ready.gateway,
    console: ready.console,
    admin: ready.admin,
    token,
    supervisorPid: pid,
    bootMs,
    bootSteps,
    status,
    async events(after = 0) {
      const path = `/v1/events?after=${after}&waitMs=0`;
      return (await ask<{ events: readonly FleetEvent[] }>("GET", path)).events;
    },
    async kill(instance, signal = "SIGKILL") {
      const before = instanceOf(await status(), instance);
      await ask("POST", "/v1/kill", { instance, signal });
      return before;
    },
    async waitReady(instance, { afterPid, deadlineMs = labFleetDefaults.deadlineMs } = {}) {
      const start = performance.now();
      await until(`${instance} to be ready again`, deadlineMs, async () => {
        const { state, pid: now } = instanceOf(await status(), instance);
        return state === "ready" && now !== afterPid;
      });
      return performance.now() - start;
    },
    async restart(name) {
      await ask("POST", "/v1/restart", { name });
    },
    memory: () => memoryOfTree(pid),
    async killSupervisor() {
      const pids = memoryOfTree(pid).map((each) => each.pid);
      await end(child, "SIGKILL");
      await until("the fleet's processes to end", labFleetDefaults.deadlineMs, () =>
        pids.every((each) => !isAlive(each)),
      );
      claimed?.release();
    },
    async stop() {
      const start = performance.now();
      await end(child, "SIGTERM");
      claimed?.release();
      if (child.exitCode !== 0) {
        throw new Error(`the fleet stopped with ${child.exitCode ?? child.signalCode}`);
      }
      return performance.now() - start;
    },
    async close() {
      await end(child, "SIGTERM");
      claimed?.release();
      if (ours) rmSync(dataFolder, { recursive: true, force: true });
    },
  };
  return fleet;
}

/** Polls until the condition is true. Throws, naming what was waited for, at the deadline. */
export async function until(
  what: string,
  deadlineMs: number,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${deadlineMs} ms in vain for ${what}`);
    await pause(50);
  }
}

function untilReady(
  child: ChildProcess,
  budgetMs: number,
  say: (line: string) => void,
): Promise<{ ready: ReadyLine; bootSteps: BootStep[] }> {
  const bootSteps: BootStep[] = [];
  const said: string[] = [];
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      reject(new Error(`the fleet did not come up: ${why}\n${said.slice(-30).join("\n")}`));
    };
    const timer = setTimeout(() => fail(`not ready after ${budgetMs} ms`), budgetMs);
    child.once("error", (error) => fail(error.message));
    child.once("exit", (code, signal) => fail(`it ended with ${code ?? signal}`));
    child.stderr?.on("data", (chunk: Buffer) => said.push(chunk.toString().trimEnd()));
    if (child.stdout === null) return fail("it has no output");
    createInterface({ input: child.stdout }).on("line", (line) => {
      said.push(line);
      if (said.length > 1_000) said.splice(0, 500);
      const event = parseLine(line);
      if (event?.event === "step") {
        bootSteps.push(event as unknown as BootStep);
        say(`  ${String(event.title)}`);
      }
      if (event?.event !== "ready") return;
      clearTimeout(timer);
      child.removeAllListeners("exit");
      resolve({ ready: event as unknown as ReadyLine, bootSteps });
    });
  });
}

function parseLine(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function adminClient(admin: string, token: string) {
  return async <T>(method: "GET" | "POST", path: string, body?: object): Promise<T> => {
    const response = await fetch(`${admin}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
    return (await response.json()) as T;
  };
}

function instanceOf(status: FleetStatus, name: string): InstanceStatus {
  const found = status.instances.find((each) => each.name === name);
  if (found !== undefined) return found;
  const names = status.instances.map((each) => each.name).join(", ");
  throw new Error(`the fleet has no ${name}; it has ${names}`);
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie still has its pid until its parent collects it.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
