import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface LeftBehind {
  readonly pid: number;
  readonly command: string;
}

/**
 * Processes that have to do with a folder: in their arguments, their environment or as the folder
 * they are in. Finds what a fleet left behind, whoever its parent is by now. Linux only.
 */
export function leftBehind(folder: string): readonly LeftBehind[] {
  return readdirSync("/proc").flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    const command = read(() => readFileSync(`/proc/${pid}/cmdline`, "utf8"));
    const place = read(() => readlinkSync(`/proc/${pid}/cwd`));
    const environment = read(() => readFileSync(`/proc/${pid}/environ`, "utf8"));
    const ours = [command, place, environment].some((text) => text.includes(folder));
    return ours ? [{ pid, command: command.replaceAll("\0", " ").trim() }] : [];
  });
}

/** The process may have ended meanwhile, or be another user's. */
function read(from: () => string): string {
  try {
    return from();
  } catch {
    return "";
  }
}
