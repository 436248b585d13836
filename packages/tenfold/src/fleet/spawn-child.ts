import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, renameSync, rmSync, statSync } from "node:fs";

export interface ChildSpec {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Standard output and error go here, appended. */
  readonly logFile: string;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Open an IPC channel, whose end tells a Node child that its parent is gone. */
  readonly ipc: boolean;
}

const logBytesMax = 16 * 1024 * 1024;
const setprivPaths = ["/usr/bin/setpriv", "/bin/setpriv"];

/**
 * Starts a direct child that writes to its own log file and dies with this process: through
 * `setpriv --pdeathsig KILL` where the system has it (it also ends a stopped child), and through
 * the IPC channel for Node children everywhere.
 */
export function spawnChild(spec: ChildSpec): ChildProcess {
  rotateLog(spec.logFile);
  const log = openSync(spec.logFile, "a", 0o600);
  const setpriv = setprivPaths.find((path) => existsSync(path));
  // Taking on another user clears the death signal, so it is only asked for when nothing does.
  const wrap = setpriv !== undefined && spec.uid === undefined;
  try {
    return spawn(
      wrap ? setpriv : spec.command,
      wrap ? ["--pdeathsig", "KILL", spec.command, ...spec.args] : [...spec.args],
      {
        cwd: spec.cwd,
        env: { ...spec.env },
        stdio: ["ignore", log, log, ...(spec.ipc ? (["ipc"] as const) : [])],
        ...(spec.uid === undefined ? {} : { uid: spec.uid }),
        ...(spec.gid === undefined ? {} : { gid: spec.gid }),
      },
    );
  } finally {
    closeSync(log);
  }
}

/** Keeps one older log beside the current one, at most `logBytesMax` each at every start. */
function rotateLog(file: string): void {
  if (!existsSync(file) || statSync(file).size < logBytesMax) return;
  rmSync(`${file}.1`, { force: true });
  renameSync(file, `${file}.1`);
}
