import { DatabaseSync } from "node:sqlite";

import { TenfoldError } from "../runtime/errors.ts";

export interface FolderLock {
  release(): void;
}

/**
 * Holds a folder for this process: an exclusive SQLite transaction on `lock.db` inside it. The
 * kernel frees it when the process ends, however it ends, so no stale lock can remain.
 *
 * @throws TENFOLD_FLEET_ALREADY_RUNNING when another process holds it.
 */
export function lockFolder(folder: string): FolderLock {
  const database = new DatabaseSync(`${folder}/lock.db`, { timeout: 0 });
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;");
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode !== 5) throw error;
    throw new TenfoldError(
      "TENFOLD_FLEET_ALREADY_RUNNING",
      `A supervisor already runs on ${folder}. Stop it with Ctrl-C where it runs, or give this ` +
        "one a folder and ports of its own: --data DIR --ports FROM.",
    );
  }
  return { release: () => database.close() };
}
