import { type PgClient, withClient } from "./client.ts";
import type { PostgresEngine } from "./engine.ts";
import type { PostgresServer } from "./server.ts";
import { slotName } from "./settings.ts";
import { appRole, replicationRole } from "./store-connections.ts";

/**
 * Makes, on a primary, the role that standbys copy with and the role and database of the
 * application. Idempotent. The application's role owns its database and nothing else.
 */
export async function createRoles(engine: PostgresEngine, primary: PostgresServer): Promise<void> {
  const { app, replicator } = engine.credentials;
  await withClient(engine.pg, primary.superuser(), async (client) => {
    await createRole(client, replicationRole, "replication", replicator);
    await createRole(client, appRole, "", app);
    const { rows } = await client.query("select from pg_database where datname = $1", [appRole]);
    if (rows.length === 0) await client.query(`create database ${appRole} owner ${appRole}`);
    await client.query(`revoke connect, temporary on database ${appRole} from public`);
  });
}

/** Are there the role to copy with, and the application's database? They are made last. */
export async function hasRoles(engine: PostgresEngine, primary: PostgresServer): Promise<boolean> {
  return await withClient(engine.pg, primary.superuser(), async (client) => {
    const { rows } = await client.query(
      "select from pg_roles, pg_database where rolname = $1 and datname = $2",
      [replicationRole, appRole],
    );
    return rows.length > 0;
  });
}

/**
 * Makes sure that the primary keeps what a standby has not received. A slot whose standby was away
 * for longer than the cap is made anew.
 *
 * @returns false when what the standby needs is gone, and it must be seeded again
 */
export async function reserveSlot(
  engine: PostgresEngine,
  primary: PostgresServer,
  standby: string,
): Promise<boolean> {
  const slot = slotName(standby);
  return await withClient(engine.pg, primary.superuser(), async (client) => {
    const { rows } = await client.query(
      "select wal_status from pg_replication_slots where slot_name = $1",
      [slot],
    );
    const kept = rows[0];
    if (kept !== undefined && kept.wal_status !== "lost") return true;
    if (kept !== undefined) await client.query("select pg_drop_replication_slot($1)", [slot]);
    await client.query("select pg_create_physical_replication_slot($1, true)", [slot]);
    return kept === undefined;
  });
}

async function createRole(
  client: PgClient,
  name: string,
  attributes: string,
  password: string,
): Promise<void> {
  const { rows } = await client.query("select from pg_roles where rolname = $1", [name]);
  if (rows.length > 0) return;
  // Not a parameter: utility statements take none.
  const secret = client.escapeLiteral(password);
  await client.query(`create role ${name} login ${attributes} password ${secret}`);
}
