import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";

import {
  type MessageRow,
  noCounters,
  type QueueCounters,
  type QueueTable,
} from "../../queueing/queue-table.ts";

const progressColumns = [
  "state",
  "attempts",
  "lost",
  "token",
  "dueMs",
  "finishedMs",
  "finishedAtMs",
  "completion",
  "reason",
] as const;

const columns = [
  "sequence",
  "key",
  "sort",
  "body",
  "bytes",
  "idempotencyKey",
  "fingerprint",
  "enqueuedAtMs",
  ...progressColumns,
] as const;

/** Above every text that may be a sort, in SQLite's order by UTF-8 bytes: no text contains 0xff. */
const aboveAll = "CAST(x'ff' AS TEXT)";

/** The messages in an open queue file. The caller begins and commits the transactions. */
export function sqliteQueueTable(database: DatabaseSync): QueueTable {
  const rowsOf = (query: string): StatementSync =>
    database.prepare(`SELECT ${columns.join(", ")} FROM messages ${query}`);
  const insert = database.prepare(
    `INSERT INTO messages (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
  );
  const update = database.prepare(
    `UPDATE messages SET ${progressColumns.map((name) => `${name} = ?`).join(", ")}
     WHERE sequence = ?`,
  );
  const remove = database.prepare("DELETE FROM messages WHERE sequence = ?");
  const bySequence = rowsOf("WHERE sequence = ?");
  const byIdempotencyKey = rowsOf("WHERE key = ? AND idempotencyKey = ?");
  const isPending = database.prepare(
    "SELECT 1 FROM messages WHERE key = ? AND sort = ? AND state <> 4",
  );
  const laneHead = rowsOf("WHERE key = ? AND state < 4 ORDER BY sequence LIMIT 1");
  const inState = rowsOf("WHERE state = ? AND sequence > ? ORDER BY sequence LIMIT ?");
  const completed = rowsOf("WHERE state = 4 AND completion > ? ORDER BY completion LIMIT ?");
  const due = rowsOf("WHERE state IN (2, 3) AND dueMs <= ? ORDER BY dueMs LIMIT ?");
  const nextDue = database.prepare(
    "SELECT min(dueMs) AS dueMs FROM messages WHERE state IN (2, 3)",
  );
  const pending = rowsOf(
    `WHERE key = ? AND sort < coalesce(?, ${aboveAll}) AND state <> 4 ORDER BY sort DESC LIMIT ?`,
  );
  const loadCounters = database.prepare("SELECT name, value FROM counters");
  const saveCounter = database.prepare("REPLACE INTO counters (name, value) VALUES (?, ?)");

  const one = (query: StatementSync, ...values: SQLInputValue[]): MessageRow | undefined =>
    query.get(...values) as unknown as MessageRow | undefined;
  const all = (query: StatementSync, ...values: SQLInputValue[]): MessageRow[] =>
    query.all(...values) as unknown as MessageRow[];

  return {
    insert(row) {
      insert.run(...columns.map((name) => row[name]));
    },
    update(row) {
      update.run(...progressColumns.map((name) => row[name]), row.sequence);
    },
    remove(sequence) {
      remove.run(sequence);
    },
    bySequence: (sequence) => one(bySequence, sequence),
    byIdempotencyKey: (key, name) => one(byIdempotencyKey, key, name),
    isPending: (key, sort) => isPending.get(key, sort) !== undefined,
    laneHead: (key) => one(laneHead, key),
    inState: (state, after, limit) => all(inState, state, after, limit),
    completed: (after, limit) => all(completed, after, limit),
    due: (untilMs, limit) => all(due, untilMs, limit),
    nextDueMs: () => (nextDue.get()?.dueMs as number | null) ?? undefined,
    pending: (key, before, limit) => all(pending, key, before ?? null, limit),
    loadCounters() {
      const counters: QueueCounters = { ...noCounters };
      for (const { name, value } of loadCounters.all()) {
        counters[name as keyof QueueCounters] = value as number;
      }
      return counters;
    },
    saveCounters(counters) {
      for (const [name, value] of Object.entries(counters)) saveCounter.run(name, value);
    },
  };
}
