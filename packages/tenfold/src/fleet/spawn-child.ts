import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync } from "node:fs";

import { openChildLog } from "./child-log.ts";

export interface ChildSpec {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Standard output and error go here, appended. */
  readonly logFile: string;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /**
   * A Node program of ours: gets an IPC channel, whose end tells it that its parent is gone, and
   * the kernel's death signal. Other commands see to that themselves.
   */
  readonly program: boolean;
}

const setprivPaths = ["/usr/bin/setpriv", "/bin/setpriv"];

/**
 * Starts a direct child that writes to its own log file. A program of ours dies with this process:
 * through `setpriv --pdeathsig KILL` where the system has it (which also ends a stopped child),
 * and through the IPC channel everywhere.
 */
export function spawnChild(spec: ChildSpec): ChildProcess {
  const log = openChildLog(spec.logFile);
  const setpriv = spec.program ? setprivPaths.find((path) => existsSync(path)) : undefined;
  try {
    return spawn(
      setpriv ?? spec.command,
      setpriv ? ["--pdeathsig", "KILL", spec.command, ...spec.args] : [...spec.args],
      {
        cwd: spec.cwd,
        env: { ...spec.env },
        // A session of its own: Ctrl-C in the terminal is the supervisor's business alone.
        detached: true,
        stdio: ["ignore", log, log, ...(spec.program ? (["ipc"] as const) : [])],
        ...(spec.uid === undefined ? {} : { uid: spec.uid }),
        ...(spec.gid === undefined ? {} : { gid: spec.gid }),
      },
    );
  } finally {
    closeSync(log);
  }
}
