import { DatabaseSync } from "node:sqlite";

export interface FolderLock {
  release(): void;
}

/**
 * Holds a folder for this process: an exclusive SQLite transaction on `lock.db` inside it. The
 * kernel frees it when the process ends, however it ends, so no stale lock can remain.
 *
 * @returns undefined when another process holds it
 */
export function tryLockFolder(folder: string): FolderLock | undefined {
  const database = new DatabaseSync(`${folder}/lock.db`, { timeout: 0 });
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;");
  } catch (error) {
    database.close();
    const isBusy = (error as { errcode?: number }).errcode === 5;
    if (isBusy) return undefined;
    throw error;
  }
  return { release: () => database.close() };
}
