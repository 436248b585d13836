import { copyFileSync, openSync, rmSync, statSync, truncateSync } from "node:fs";

const logBytesMax = 16 * 1024 * 1024;

/** Opens a child's log for appending, which `trimChildLog` counts on. The caller closes it. */
export function openChildLog(file: string): number {
  trimChildLog(file);
  return openSync(file, "a", 0o600);
}

/**
 * Keeps a log within bounds while a child writes to it: one that has `bytesMax` is copied aside, in
 * the place of an older one, and emptied. Lines written in between are lost, and so are all of them
 * when the disk has no room for the copy.
 */
export function trimChildLog(file: string, bytesMax: number = logBytesMax): void {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size < bytesMax) return;
  const older = `${file}.1`;
  rmSync(older, { force: true });
  try {
    copyFileSync(file, older);
  } catch {
    // A full disk is the worst time to let a log grow.
    rmSync(older, { force: true });
  }
  truncateSync(file);
}
