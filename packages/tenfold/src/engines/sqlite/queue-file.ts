import { DatabaseSync } from "node:sqlite";

import type { ErrorCode } from "../../runtime/error-codes.ts";
import { errorText, TenfoldError } from "../../runtime/errors.ts";

/** "TfQu": says in the file's header whose file it is. */
const applicationId = 0x54665175;
const formatVersion = 1;
/** A predecessor that was just killed may hold the lock for a moment. */
const lockWaitMs = 1_000;

/**
 * state < 4 is open, 4 done, 5 dead: see `messageStates`. The conditions of the partial indexes
 * stand word by word in the statements that use them, or SQLite would not.
 */
const schema = `
  CREATE TABLE messages (
    sequence INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    sort TEXT NOT NULL,
    body TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    idempotencyKey TEXT NOT NULL,
    fingerprint TEXT,
    enqueuedAtMs INTEGER NOT NULL,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    token INTEGER NOT NULL,
    dueMs REAL NOT NULL,
    finishedMs REAL NOT NULL,
    finishedAtMs INTEGER NOT NULL,
    completion INTEGER NOT NULL,
    reason TEXT
  ) STRICT;
  CREATE UNIQUE INDEX byIdempotencyKey ON messages (key, idempotencyKey);
  CREATE UNIQUE INDEX byKeyAndSort ON messages (key, sort) WHERE state <> 4;
  CREATE INDEX byLane ON messages (key, sequence) WHERE state < 4;
  CREATE INDEX byState ON messages (state, sequence);
  CREATE UNIQUE INDEX byCompletion ON messages (completion) WHERE state = 4;
  CREATE INDEX byDue ON messages (dueMs) WHERE state IN (2, 3);
  CREATE TABLE counters (name TEXT PRIMARY KEY, value REAL NOT NULL) STRICT, WITHOUT ROWID;
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${formatVersion};
`;

/**
 * Opens the file for this connection alone; makes it when there is none.
 *
 * @throws TENFOLD_QUEUEING_FILE_LOCKED, TENFOLD_QUEUEING_FILE_UNSUPPORTED,
 *   TENFOLD_QUEUEING_STORAGE_FAILED
 */
export function openQueueFile(file: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { timeout: lockWaitMs });
    // Held until the connection closes or its process dies; and then WAL needs no shared memory.
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    // Before anything is written: what is not ours stays as it is.
    const fresh = isFresh(database, file);
    database.exec("PRAGMA journal_mode = WAL");
    // FULL: a commit returns after fsync. NORMAL would lose the last ones in a power cut.
    database.exec("PRAGMA synchronous = FULL");
    database.exec("PRAGMA journal_size_limit = 67108864");
    database.exec(`BEGIN IMMEDIATE; ${fresh ? schema : ""} COMMIT`);
    return database;
  } catch (error) {
    database?.close();
    throw sqliteFailure(error, file);
  }
}

/** True for an empty file, false for a queue of this format. */
function isFresh(database: DatabaseSync, file: string): boolean {
  const id = pragma(database, "application_id");
  const version = pragma(database, "user_version");
  if (id === applicationId && version === formatVersion) return false;
  const empty = database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
  if (empty && id === 0 && version === 0) return true;
  throw new TenfoldError(
    "TENFOLD_QUEUEING_FILE_UNSUPPORTED",
    id === applicationId
      ? `${file} has format ${version}; this version of Tenfold reads format ${formatVersion}.`
      : `${file} is a database, but not a queue of Tenfold.`,
  );
}

function pragma(database: DatabaseSync, name: string): unknown {
  return database.prepare(`PRAGMA ${name}`).get()?.[name];
}

const codes: Readonly<Record<number, ErrorCode>> = {
  5: "TENFOLD_QUEUEING_FILE_LOCKED", // SQLITE_BUSY
  6: "TENFOLD_QUEUEING_FILE_LOCKED", // SQLITE_LOCKED
  11: "TENFOLD_QUEUEING_FILE_UNSUPPORTED", // SQLITE_CORRUPT
  26: "TENFOLD_QUEUEING_FILE_UNSUPPORTED", // SQLITE_NOTADB
};

const diskRetryAfterMs = 1_000;

/** What SQLite threw, with a code of ours. Full, read-only, unreadable: the storage failed. */
export function sqliteFailure(error: unknown, file: string): unknown {
  const { errcode, code: kind } = error as { errcode?: number; code?: string };
  if (kind !== "ERR_SQLITE_ERROR" || errcode === undefined) return error;
  // The low byte is the primary result code, the rest says more.
  const code = codes[errcode & 0xff] ?? "TENFOLD_QUEUEING_STORAGE_FAILED";
  const failed = code === "TENFOLD_QUEUEING_STORAGE_FAILED";
  return new TenfoldError(code, `${file}: ${errorText(error)} (SQLite error ${errcode}).`, {
    ...(failed ? { retryable: true, retryAfterMs: diskRetryAfterMs } : {}),
    details: { errcode },
    cause: error,
  });
}
