import { type Runtime, runtimeWith } from "../../runtime/runtime.ts";
import { findPostgres, type PostgresBinaries } from "./binaries.ts";
import { loadPg, type PgModule } from "./client.ts";
import { type PostgresCredentials, postgresCredentials } from "./credentials.ts";
import { findRunAs, type RunAs } from "./run-as.ts";

/** What every server of a store has in common: programs, driver, user, passwords. */
export interface PostgresEngine {
  readonly binaries: PostgresBinaries;
  readonly runAs: RunAs;
  readonly pg: PgModule;
  readonly credentials: PostgresCredentials;
  /** Who may connect: IPv4 addresses. */
  readonly clients: readonly string[];
  readonly runtime: Runtime;
}

export interface PostgresEngineOptions {
  /** The store's folder: passwords here, each server below it. */
  readonly folder: string;
  /** File URL or absolute path from where the npm packages of server and driver are looked up. */
  readonly resolveFrom: string | URL;
  /** What new passwords are derived from; left out, they are drawn. */
  readonly secret?: string;
  /** IPv4 addresses of those that may connect. Default this machine, by its loopback. */
  readonly clients?: readonly string[];
  readonly runtime?: Partial<Runtime>;
}

/**
 * Finds out, once for a store, how PostgreSQL can be run here.
 * @throws TENFOLD_POSTGRES_BINARIES_MISSING, TENFOLD_POSTGRES_CLIENT_MISSING,
 * TENFOLD_POSTGRES_PRIVILEGES
 */
export async function postgresEngine(options: PostgresEngineOptions): Promise<PostgresEngine> {
  const { folder, resolveFrom, secret, clients = ["127.0.0.1"] } = options;
  const binaries = await findPostgres(resolveFrom);
  const [runAs, pg, credentials] = await Promise.all([
    findRunAs(binaries),
    loadPg(resolveFrom),
    postgresCredentials(folder, secret),
  ]);
  return { binaries, runAs, pg, credentials, clients, runtime: runtimeWith(options.runtime) };
}
