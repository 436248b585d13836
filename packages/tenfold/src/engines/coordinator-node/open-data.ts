import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";

import { errorReason, TenfoldError } from "../../runtime/errors.ts";
import { type FolderLock, tryLockFolder } from "../../runtime/folder-lock.ts";
import { type Journal, openJournal } from "./journal.ts";
import type { JournalState } from "./journal-state.ts";
import { logFolder } from "./log-folder.ts";

export interface OpenData {
  readonly state: JournalState;
  readonly journal: Journal;
  /** Closes the journal and gives the folder free. */
  close(): Promise<void>;
}

/**
 * A data folder with one owner, until it is closed or the process ends, however it ends.
 *
 * @param name whose data it shall be; undefined takes anyone's
 * @throws TENFOLD_COORDINATOR_NODE_FOLDER_IN_USE, TENFOLD_COORDINATOR_NODE_DATA_UNKNOWN,
 *   TENFOLD_COORDINATOR_NODE_DATA_DAMAGED, TENFOLD_COORDINATOR_NODE_DATA_FOREIGN,
 *   TENFOLD_COORDINATOR_NODE_STORAGE_FAILED
 */
export async function openData(folder: string, name: string | undefined): Promise<OpenData> {
  const lock = lockData(folder);
  try {
    const storage = logFolder(folder);
    const newClusterId = randomBytes(8).readBigUInt64BE() | 1n;
    const { journal, state } = await openJournal({ storage, newClusterId, name });
    const close = async (): Promise<void> => {
      await journal.close();
      lock.release();
    };
    return { state, journal, close };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function lockData(folder: string): FolderLock {
  const lock = tryLock(folder);
  if (lock !== undefined) return lock;
  throw new TenfoldError(
    "TENFOLD_COORDINATOR_NODE_FOLDER_IN_USE",
    `Another process holds ${folder}: stop it, or give another data folder.`,
  );
}

function tryLock(folder: string): FolderLock | undefined {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return tryLockFolder(folder);
  } catch (error) {
    throw new TenfoldError(
      "TENFOLD_COORDINATOR_NODE_STORAGE_FAILED",
      `The data folder ${folder} cannot be used: ${errorReason(error)}`,
      { cause: error },
    );
  }
}
