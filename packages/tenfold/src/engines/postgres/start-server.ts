import { spawn } from "node:child_process";

import type { TenfoldError } from "../../runtime/errors.ts";
import { type PostgresServer, serverDefaults } from "./server.ts";

const logCharsKept = 16_384;

/** A server that runs as a child of this process. */
export interface StartedServer extends AsyncDisposable {
  readonly pid: number | undefined;
  /** The last lines that it wrote, at most 16,384 characters. */
  log(): string;
  /** Why it ended, or undefined while it runs. */
  failure(): TenfoldError | undefined;
  /** Fast shutdown; an immediate one when that takes longer than the grace period. Idempotent. */
  close(): Promise<void>;
}

/** Spawns a prepared server: for tests and programs without a supervisor of their own. */
export function startServer(server: PostgresServer): StartedServer {
  const { command, args, ...options } = server.command();
  const child = spawn(command, [...args], {
    ...options,
    env: { ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  let ended = false;
  const keep = (chunk: Buffer): void => {
    log = (log + chunk.toString()).slice(-logCharsKept);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const closed = new Promise<void>((resolve) => {
    const end = (): void => {
      ended = true;
      resolve();
    };
    child.once("error", (error) => {
      keep(Buffer.from(error.message));
      end();
    });
    child.once("exit", end);
  });
  const close = async (): Promise<void> => {
    child.kill(server.stopSignal);
    const force = setTimeout(() => child.kill(server.forceSignal), serverDefaults.stopGraceMs);
    await closed.finally(() => clearTimeout(force));
  };
  return {
    pid: child.pid,
    log: () => log,
    failure: () => (ended ? server.failure(log) : undefined),
    close,
    [Symbol.asyncDispose]: close,
  };
}
