import { TenfoldError } from "../runtime/errors.ts";
import { type FolderLock, tryLockFolder } from "../runtime/folder-lock.ts";

/**
 * Holds a fleet's folder for this process, until it ends.
 *
 * @throws TENFOLD_FLEET_ALREADY_RUNNING when another process holds it.
 */
export function lockFolder(folder: string): FolderLock {
  const lock = tryLockFolder(folder);
  if (lock !== undefined) return lock;
  throw new TenfoldError(
    "TENFOLD_FLEET_ALREADY_RUNNING",
    `A supervisor already runs on ${folder}. Stop it with Ctrl-C where it runs, or give this ` +
      "one a folder and ports of its own: --data DIR --ports FROM.",
  );
}
