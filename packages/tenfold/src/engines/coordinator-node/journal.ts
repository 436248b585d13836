import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { errorText, TenfoldError } from "../../runtime/errors.ts";
import type { KeyValue } from "../etcd/messages.ts";
import type { Revised } from "./key-store.ts";

export interface StoredLease {
  readonly id: bigint;
  readonly ttlSeconds: bigint;
}

/** What one commit makes durable. */
export interface JournalBatch {
  readonly revised: readonly Revised[];
  readonly granted: readonly StoredLease[];
  readonly ended: readonly bigint[];
}

export interface JournalState {
  readonly clusterId: bigint;
  /** How often the folder was opened; grows with every start. */
  readonly generation: bigint;
  readonly revision: bigint;
  readonly entries: readonly KeyValue[];
  readonly leases: readonly StoredLease[];
}

/** The map on disk: one SQLite file that one process owns. */
export interface Journal {
  readonly state: JournalState;
  /** Returns when the batch is on disk. @throws TENFOLD_COORDINATOR_NODE_STORAGE_FAILED */
  commit(batch: JournalBatch): void;
  close(): void;
}

/** Of the file's layout; in SQLite's `user_version`. */
const formatVersion = 1;
const fileName = "coordinator.sqlite";

const schema = `
  CREATE TABLE facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE entries (
    key BLOB PRIMARY KEY, value BLOB NOT NULL, create_revision INTEGER NOT NULL,
    mod_revision INTEGER NOT NULL, version INTEGER NOT NULL, lease INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE leases (id INTEGER PRIMARY KEY, ttl_seconds INTEGER NOT NULL) STRICT;
`;

/**
 * Opens or makes the file.
 *
 * @param newClusterId names the store if it is made now
 * @throws TENFOLD_COORDINATOR_NODE_FOLDER_IN_USE, TENFOLD_COORDINATOR_NODE_DATA_UNKNOWN,
 *   TENFOLD_COORDINATOR_NODE_STORAGE_FAILED
 */
export function openJournal(dataFolder: string, newClusterId: bigint): Journal {
  const path = join(dataFolder, fileName);
  return guarded(path, () => {
    mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
    const database = new DatabaseSync(path, { timeout: 0 });
    try {
      return openIn(database, path, newClusterId);
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

function openIn(database: DatabaseSync, path: string, newClusterId: bigint): Journal {
  // Exclusive, so that the lock is held until this process ends, however it ends.
  database.exec("PRAGMA locking_mode = EXCLUSIVE");
  const stored = database.prepare("PRAGMA user_version").get()?.user_version;
  const isNew = stored === 0 && countTables(database) === 0;
  if (!isNew && stored !== formatVersion) throw unknownData(path, stored);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  database.exec("BEGIN EXCLUSIVE");
  if (isNew) {
    database.exec(`${schema} PRAGMA user_version = ${formatVersion}`);
    const insert = database.prepare("INSERT INTO facts VALUES (?, ?)");
    insert.run("cluster_id", newClusterId);
    insert.run("generation", 0);
    // etcd's first revision is 1: 0 means "none" in requests.
    insert.run("revision", 1);
  }
  database.exec("UPDATE facts SET value = value + 1 WHERE name = 'generation'");
  database.exec("COMMIT");
  const write = writer(database);
  return {
    state: load(database),
    commit: (batch) => guarded(path, () => write(batch)),
    close: () => database.close(),
  };
}

function writer(database: DatabaseSync): (batch: JournalBatch) => void {
  const put = database.prepare("REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?)");
  const remove = database.prepare("DELETE FROM entries WHERE key = ?");
  const grant = database.prepare("INSERT INTO leases VALUES (?, ?)");
  const end = database.prepare("DELETE FROM leases WHERE id = ?");
  const advance = database.prepare("UPDATE facts SET value = ? WHERE name = 'revision'");
  const writeAll = ({ revised, granted, ended }: JournalBatch): void => {
    for (const { id, ttlSeconds } of granted) grant.run(id, ttlSeconds);
    for (const { events } of revised) {
      for (const { key, now } of events) {
        if (now === undefined) remove.run(Buffer.from(key, "latin1"));
        else {
          const { createRevision, modRevision, version, lease } = now;
          put.run(now.key, now.value, createRevision, modRevision, version, lease);
        }
      }
    }
    for (const id of ended) end.run(id);
    const last = revised.at(-1);
    if (last !== undefined) advance.run(last.revision);
  };
  return (batch) => {
    database.exec("BEGIN");
    try {
      writeAll(batch);
      database.exec("COMMIT");
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      throw error;
    }
  };
}

function load(database: DatabaseSync): JournalState {
  const all = (sql: string): Record<string, unknown>[] => {
    const statement = database.prepare(sql);
    statement.setReadBigInts(true);
    return statement.all();
  };
  const facts = new Map(all("SELECT * FROM facts").map((row) => [row.name, row.value]));
  const fact = (name: string): bigint => facts.get(name) as bigint;
  return {
    clusterId: fact("cluster_id"),
    generation: fact("generation"),
    revision: fact("revision"),
    entries: all("SELECT * FROM entries").map((row) => ({
      key: row.key as Uint8Array,
      value: row.value as Uint8Array,
      createRevision: row.create_revision as bigint,
      modRevision: row.mod_revision as bigint,
      version: row.version as bigint,
      lease: row.lease as bigint,
    })),
    leases: all("SELECT * FROM leases").map((row) => ({
      id: row.id as bigint,
      ttlSeconds: row.ttl_seconds as bigint,
    })),
  };
}

function countTables(database: DatabaseSync): unknown {
  return database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get()?.tables;
}

const sqliteBusy = 5;
const sqliteNotADatabase = 26;

/** Runs `work`; what SQLite or the file system throws becomes one of our codes. */
function guarded<Result>(path: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (error instanceof TenfoldError) throw error;
    const code = (error as { errcode?: number }).errcode;
    if (code === sqliteBusy) {
      throw new TenfoldError(
        "TENFOLD_COORDINATOR_NODE_FOLDER_IN_USE",
        `Another process holds ${path}: stop it, or give another data folder.`,
        { cause: error },
      );
    }
    if (code === sqliteNotADatabase) throw unknownData(path, "no database");
    throw new TenfoldError(
      "TENFOLD_COORDINATOR_NODE_STORAGE_FAILED",
      `Reading or writing ${path} failed: ${errorText(error)}.`,
      { cause: error },
    );
  }
}

function unknownData(path: string, came: unknown): TenfoldError {
  return new TenfoldError(
    "TENFOLD_COORDINATOR_NODE_DATA_UNKNOWN",
    `${path} has format ${came}, this version reads ${formatVersion}. The file is untouched.`,
    { details: { came, expected: formatVersion } },
  );
}
