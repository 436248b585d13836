import type pg from "pg";
import { TenfoldError } from "tenfold/runtime";

/**
 * One statement list a version, applied in order, each once. Never change one that was released.
 */
const versions: readonly string[] = [
  `create table posts (
     user_id bigint not null,
     id bigint not null,
     created_at_ms bigint not null,
     contents text not null,
     url text,
     preview json,
     primary key (user_id, id)
   )`,
];

// Any number, as long as every process takes the same: "posts" in ASCII.
const lockKey = "482805314675";

/**
 * Brings a shard's tables to this program's version. Idempotent, and safe when several processes
 * do it at once: one works, the others wait and find it done.
 *
 * @param client closed by the caller on failure, which rolls back and lets go of the lock
 * @throws TENFOLD_POSTGRES_SCHEMA_NEWER when a later version of the program made the tables
 */
export async function migrateShard(client: pg.ClientBase, shard: string): Promise<void> {
  await client.query("begin");
  await client.query(`select pg_advisory_xact_lock(${lockKey})`);
  await client.query(
    `create table if not exists schema_version (
       version integer primary key, applied_at timestamptz not null default now())`,
  );
  const { rows } = await client.query<{ version: number }>(
    "select coalesce(max(version), 0) as version from schema_version",
  );
  const applied = rows[0]?.version ?? 0;
  if (applied > versions.length) throw newer(shard, applied);
  for (const [index, statements] of versions.entries()) {
    if (index < applied) continue;
    await client.query(statements);
    await client.query("insert into schema_version (version) values ($1)", [index + 1]);
  }
  await client.query("commit");
}

function newer(shard: string, applied: number): TenfoldError {
  return new TenfoldError(
    "TENFOLD_POSTGRES_SCHEMA_NEWER",
    `The tables of ${shard} have version ${applied}, this program knows ${versions.length}.`,
  );
}
