import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { SocketAddress } from "../runtime/network.ts";
import type { Claim, ClientCommand, ClientReport } from "./client-program.ts";

/** How a client is made in another process. */
export interface ClientModule {
  /** A module that exports `connect(settings): Coordinator | Promise<Coordinator>`. */
  readonly url: string | URL;
  /** What JSON can hold; with `through`, for a client that reaches the servers there. */
  settings(through?: readonly SocketAddress[]): unknown;
}

/** A clock that is not the machine's. */
export interface ClientClock {
  /** As libfaketime reads it: `-60` is a minute behind, `+0 x1.05` runs 5 % fast. */
  readonly offset: string;
  /** Durations and timers go by the true clock. */
  readonly onlyWall?: boolean;
}

export interface ClientProcessOptions {
  readonly clock?: ClientClock;
}

/** A client in a process of its own, that can be stopped, killed, and given another clock. */
export interface ClientProcess {
  readonly pid: number;
  readonly claims: readonly Claim[];
  /** Resolves when it is done; rejects when it fails. */
  ask(command: ClientCommand): Promise<Extract<ClientReport, { kind: "done" }>>;
  signal(name: NodeJS.Signals): void;
  /** Sets the clock that it was started with anew; resolves when it has surely seen that. */
  setClock(offset: string): Promise<void>;
  close(): Promise<void>;
}

const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
const program = fileURLToPath(new URL(`./client-program.${extension}`, import.meta.url));

/**
 * Starts a process with a client and resolves when that is made.
 *
 * @param through where the client reaches the servers; undefined leaves it to the module
 * @param fakeClock path of libfaketime's library, needed for `options.clock`
 */
export async function startClientProcess(
  module: ClientModule,
  through: readonly SocketAddress[] | undefined,
  options: ClientProcessOptions = {},
  fakeClock?: string,
): Promise<ClientProcess> {
  const { clock } = options;
  const folder = clock && (await mkdtemp(join(tmpdir(), "tenfold-clock-")));
  const clockFile = folder && join(folder, "offset");
  if (clock && clockFile) await writeFile(clockFile, `${clock.offset}\n`);
  const child = fork(program, [], {
    env: {
      ...process.env,
      CLIENT_MODULE: String(module.url),
      CLIENT_SETTINGS: JSON.stringify(module.settings(through)),
      ...(clock && {
        LD_PRELOAD: fakeClock,
        FAKETIME_TIMESTAMP_FILE: clockFile,
        FAKETIME_CACHE_DURATION: "1",
        ...(clock.onlyWall && { FAKETIME_DONT_FAKE_MONOTONIC: "1" }),
      }),
    },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const claims: Claim[] = [];
  const waiting: ((report: ClientReport) => void)[] = [];
  child.on("message", (report: ClientReport) => {
    if (report.kind === "claim") claims.push({ at: report.at, isValid: report.isValid });
    else waiting.shift()?.(report);
  });
  const over = ended(child).then(
    (how): ClientReport => ({ kind: "failed", error: `it ended: ${how}` }),
  );
  const answer = (): Promise<ClientReport> =>
    Promise.race([new Promise<ClientReport>((resolve) => waiting.push(resolve)), over]);
  const accepted = async (asked: Promise<ClientReport>) => {
    const report = await asked;
    if (report.kind === "failed") throw new Error(`the client process: ${report.error}`);
    return report as Extract<ClientReport, { kind: "done" }>;
  };
  await accepted(answer());
  return {
    pid: child.pid as number,
    claims,
    ask(command) {
      const answered = accepted(answer());
      child.send(command);
      return answered;
    },
    signal: (name) => void child.kill(name),
    async setClock(offset) {
      if (clockFile === undefined) throw new Error("the process was started with the true clock");
      await writeFile(clockFile, `${offset}\n`);
      // The library looks at the file once a second.
      await new Promise((resolve) => setTimeout(resolve, 1_200));
    },
    async close() {
      if (child.exitCode === null && child.signalCode === null) {
        const gone = once(child, "exit");
        child.kill("SIGKILL");
        await gone;
      }
      if (folder) await rm(folder, { recursive: true, force: true });
    },
  };
}

function ended(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve(String(signal ?? code)));
    child.once("error", (error) => resolve(error.message));
  });
}

/**
 * Milliseconds that no library can bend, the same in every process of the machine. To 10 ms, never
 * ahead: the kernel's own text where there is one.
 */
export function trueNow(): number {
  if (!hasUptime) return performance.timeOrigin + performance.now();
  return Number.parseFloat(readFileSync(uptime, "latin1")) * 1_000;
}

const uptime = "/proc/uptime";
const hasUptime = existsSync(uptime);
