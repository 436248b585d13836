import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { fleetSecrets } from "tenfold/fleet";

import type { LabFleet } from "./fleet.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const program = join(repository, "packages/cli/bin/tenfold.js");
const readyWithinMs = 60_000;

/** A process of a service that no supervisor knows of; disposed of, it is killed. */
export interface ByHand {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  readonly adminPort: number;
  /** Sends the signal and waits for the end; returns the exit code, null after a SIGKILL. */
  end(signal: "SIGKILL" | "SIGTERM"): Promise<number | null>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ByHandOptions {
  readonly fleet: Pick<LabFleet, "dataFolder" | "coordinator" | "coordinatorAccess">;
  readonly service: string;
  /** Its instance name; not one that the fleet file gives. */
  readonly name: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** The stores that it opens. */
  readonly stores?: readonly string[];
}

/**
 * `tenfold run SERVICE` beside a running fleet, as a person, systemd or a platform would: all that
 * the process learns of the fleet is where the coordinator is and where the token lies. It ends
 * with this process.
 */
export async function runByHand(options: ByHandOptions): Promise<ByHand> {
  const { fleet, service, name, settings, stores = [] } = options;
  const { coordinator, coordinatorAccess: access } = fleet;
  const dataFolder = join(fleet.dataFolder, "by-hand", name);
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  const child = spawn(
    process.execPath,
    [program, "run", service, "--fleet", join(repository, "apps/posts/fleet.ts")],
    {
      cwd: dataFolder,
      env: {
        PATH: process.env.PATH,
        TENFOLD_INSTANCE: name,
        TENFOLD_DATA: dataFolder,
        TENFOLD_COORDINATOR: coordinator,
        ...(access && { TENFOLD_COORDINATOR_ACCESS: JSON.stringify(access) }),
        TENFOLD_TOKEN: `file:${join(fleet.dataFolder, "token")}`,
        TENFOLD_STORES: JSON.stringify(fleetSecrets(fleet, stores).stores),
        ...(settings === undefined ? {} : { TENFOLD_SETTINGS: JSON.stringify(settings) }),
      },
      stdio: ["ignore", "pipe", "inherit", "ipc"],
    },
  );
  const { port, adminPort } = await untilReady(child, name);
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    const ended = child.exitCode !== null || child.signalCode !== null;
    const exited = ended ? undefined : once(child, "exit");
    child.kill(signal);
    await exited;
    return child.exitCode;
  };
  const pid = child.pid as number;
  const dispose = async (): Promise<void> => void (await end("SIGKILL"));
  return { name, pid, port, adminPort, end, [Symbol.asyncDispose]: dispose };
}

/** Its ports, as its log tells them. */
function untilReady(
  child: ChildProcess,
  name: string,
): Promise<{ port: number; adminPort: number }> {
  const said: string[] = [];
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      reject(new Error(`${name} did not start: ${why}\n${said.join("\n")}`));
    };
    const timer = setTimeout(() => fail("it was not ready in time"), readyWithinMs);
    child.once("exit", (code, signal) => fail(`it ended with ${code ?? signal}`));
    if (child.stdout === null) return fail("it has no output");
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (said.length < 50) said.push(line);
      if (!line.includes('"message":"ready"')) return;
      clearTimeout(timer);
      child.removeAllListeners("exit");
      resolve(JSON.parse(line));
    });
  });
}
