import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

import { errorText, TenfoldError } from "../../runtime/errors.ts";

/** The calls that Tenfold makes on a client of the npm package `pg`. */
export interface PgClient {
  connect(): Promise<unknown>;
  query(text: string, values?: readonly unknown[]): Promise<PgResult>;
  end(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
  escapeLiteral(text: string): string;
  readonly connection: PgConnection;
}

export interface PgResult {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** The protocol below a client, for base backups. */
export interface PgConnection {
  readonly stream: {
    pause(): unknown;
    resume(): unknown;
    destroy(): unknown;
    setTimeout(idleMs: number, onIdle: () => void): unknown;
  };
  on(event: "copyData", listener: (message: { chunk: Uint8Array }) => void): unknown;
}

export interface PgClientConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly connectionTimeoutMillis: number;
  readonly query_timeout?: number;
  readonly replication?: "true";
}

export interface PgModule {
  readonly Client: new (config: PgClientConfig) => PgClient;
}

const goodbyeMs = 1_000;

/**
 * The driver, from where the user has it.
 * @throws TENFOLD_POSTGRES_CLIENT_MISSING
 */
export async function loadPg(resolveFrom: string | URL): Promise<PgModule> {
  try {
    const path = createRequire(resolveFrom).resolve("pg");
    const { default: pg } = (await import(pathToFileURL(path).href)) as { default: PgModule };
    return pg;
  } catch (cause) {
    throw new TenfoldError(
      "TENFOLD_POSTGRES_CLIENT_MISSING",
      `The PostgreSQL driver is not installed (looked up from ${resolveFrom}): npm install pg`,
      { cause },
    );
  }
}

/** A connection for the length of `work`. @throws the coded form of what the server says */
export async function withClient<T>(
  pg: PgModule,
  config: PgClientConfig,
  work: (client: PgClient) => Promise<T>,
): Promise<T> {
  const client = new pg.Client(config);
  // Without a listener a server that goes away would end this process.
  client.on("error", () => {});
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    throw postgresError(error, `${config.host}:${config.port}`);
  } finally {
    await end(client);
  }
}

/** Says goodbye, and hangs up when a frozen server does not answer to that. */
async function end(client: PgClient): Promise<void> {
  const hangUp = setTimeout(() => client.connection.stream.destroy(), goodbyeMs);
  await client.end().catch(() => {});
  clearTimeout(hangUp);
}

// https://www.postgresql.org/docs/18/errcodes-appendix.html: connection, resources, shutdown, time
// limits, a transaction that lost against another one, and a primary that has become a standby.
const retryableStates = /^(08|53|57P0|57014|55P03|40001|40P01|25006)/;
const refusedStates = /^(28|3D000)/;

/**
 * The coded error for whatever the driver threw: a server that is away is retryable, a wrong
 * password is not. Errors of ours pass unchanged.
 */
export function postgresError(error: unknown, where: string): TenfoldError {
  if (error instanceof TenfoldError) return error;
  const state = String((error as { code?: unknown }).code ?? "");
  const text = `PostgreSQL at ${where}: ${errorText(error)}`;
  const options = { cause: error, details: { state } };
  // The driver itself gives up on a password that is empty, before the server can refuse it.
  const refused = refusedStates.test(state) || /^SASL: /.test(errorText(error));
  if (refused) return new TenfoldError("TENFOLD_POSTGRES_REFUSED", text, options);
  if (isServerState(state) && !retryableStates.test(state)) {
    return new TenfoldError("TENFOLD_POSTGRES_QUERY_FAILED", text, options);
  }
  return new TenfoldError("TENFOLD_POSTGRES_UNAVAILABLE", text, { ...options, retryable: true });
}

/** Did the server itself say this error of ours, and not merely stay silent or away? */
export function saidByServer(error: unknown): boolean {
  return error instanceof TenfoldError && isServerState(String(error.details.state));
}

/** Five characters are a state of the server; everything else is the connection's own trouble. */
function isServerState(state: string): boolean {
  return /^[0-9A-Z]{5}$/.test(state) && !/^E[A-Z]{4}$/.test(state);
}
