import { type ChildProcess, spawn } from "node:child_process";
import { constants, hostname } from "node:os";
import { acquireLock, campaign, fleetKeys, type Hold } from "tenfold/coordination";
import { isTenfoldError, numberOption, TenfoldError } from "tenfold/runtime";

import { type CoordinatorOptions, useCoordinator } from "../coordinator-access.ts";
import { exitCodes } from "../exit-codes.ts";

export interface HoldOptions extends CoordinatorOptions {
  readonly ttlMs: string;
  readonly waitMs?: string;
  readonly value?: string;
}

const handedOn = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * `tenfold lock NAME -- COMMAND` and `tenfold elect NAME -- COMMAND`: runs the command in its turn.
 * The session is the hold's own, and judged by its holder, who stops before the server lets the
 * next one in. What the command does to the outside must carry the token all the same: a machine
 * may stop between a check and a write.
 */
export async function hold(
  kind: "lock" | "elect",
  name: string,
  argv: readonly string[],
  options: HoldOptions,
): Promise<void> {
  const ttlMs = numberOption("--ttl-ms", Number(options.ttlMs), { min: 1_000, max: 3_600_000 });
  const { waitMs, value = `${hostname()} ${process.pid}` } = options;
  const timeoutMs =
    waitMs === undefined
      ? undefined
      : numberOption("--wait-ms", Number(waitMs), { min: 0, max: 2 ** 31 - 1 });
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  for (const signal of handedOn) process.on(signal, onSignal);
  await useCoordinator(options, async ({ coordinator, fleet }) => {
    const session = await coordinator.openSession({ ttlMs, signal: stop.signal });
    const line = {
      prefix: folderOf(kind, name, fleet),
      session,
      value,
      signal: stop.signal,
      ...(timeoutMs !== undefined && { timeoutMs }),
    };
    const take = kind === "lock" ? acquireLock : campaign;
    const held = await take(coordinator, line).catch(notInTime);
    for (const signal of handedOn) process.off(signal, onSignal);
    if (held === undefined) return;
    process.exitCode = await runUnder(held, argv);
    await held.release();
  });
}

/** Undefined, and the exit code, when the turn did not come in time. */
function notInTime(error: unknown): undefined {
  if (!isTenfoldError(error, "TENFOLD_DEADLINE_EXCEEDED")) throw error;
  process.stderr.write(`tenfold: ${error.code}: ${error.message}\n`);
  process.exitCode = exitCodes.timedOut;
}

function folderOf(kind: "lock" | "elect", name: string, fleet: string | undefined): string {
  if (!/^[\w.-]{1,100}$/.test(name)) {
    const message = `NAME must be letters, digits, dots, dashes and underscores, got "${name}".`;
    throw new TenfoldError("TENFOLD_OPTION_INVALID", message);
  }
  if (fleet === undefined) return kind === "lock" ? `/locks/${name}/` : `/elections/${name}/`;
  const keys = fleetKeys(fleet);
  return kind === "lock" ? keys.lock(name) : keys.election(name);
}

/** The exit code: the command's own, or that the hold was lost. */
async function runUnder(held: Hold, [file = "", ...args]: readonly string[]): Promise<number> {
  const child = spawn(file, args, {
    stdio: "inherit",
    // A group of its own: what the command starts ends with it.
    detached: true,
    env: { ...process.env, TENFOLD_FENCING_TOKEN: held.token },
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", (cause) => {
      const message = `${file} cannot be started: ${cause.message}.`;
      reject(new TenfoldError("TENFOLD_OPTION_INVALID", message, { cause }));
    });
    child.once("exit", (code, signal) => resolve(code ?? signalCode(signal)));
  });
  const handOn = (signal: NodeJS.Signals): void => toGroup(child, signal);
  for (const signal of handedOn) process.on(signal, handOn);
  let lost = false;
  const kill = (): void => {
    lost = true;
    toGroup(child, "SIGKILL");
  };
  held.signal.addEventListener("abort", kill, { once: true });
  if (held.signal.aborted) kill();
  try {
    const code = await ended;
    if (!lost) return code;
    process.stderr.write("tenfold: the hold was lost; the command was killed.\n");
    return exitCodes.lost;
  } finally {
    held.signal.removeEventListener("abort", kill);
    for (const signal of handedOn) process.off(signal, handOn);
  }
}

function toGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended already.
  }
}

/** As shells have it. */
function signalCode(signal: NodeJS.Signals | null): number {
  return 128 + (signal === null ? 0 : constants.signals[signal]);
}
