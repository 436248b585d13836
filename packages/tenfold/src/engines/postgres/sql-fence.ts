import { fencedError } from "../../coordination/coordinator-fence.ts";
import type { FenceClaim, FenceGuard } from "../../coordination/hold.ts";
import { TenfoldError } from "../../runtime/errors.ts";
import { numberOption } from "../../runtime/options.ts";

/** The calls that a fence makes on a connection: a client of `pg`, or anything of its shape. */
export interface FenceConnection {
  query(text: string, values?: readonly unknown[]): Promise<FenceResult>;
}

export interface FenceResult {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** `COMMIT`, or `ROLLBACK` where a commit was asked for in a failed transaction. */
  readonly command?: string;
}

/** Where connections come from: a `Pool` of `pg`. A transaction needs one of its own. */
export interface FencePool<Connection extends FenceConnection = FenceConnection> {
  connect(): Promise<Connection & PooledConnection>;
}

export interface PooledConnection {
  on(event: "error", listener: (error: Error) => void): unknown;
  off(event: "error", listener: (error: Error) => void): unknown;
  release(broken?: Error): void;
}

/** One row for everything that is fenced. It must live in the database that holds the data. */
export const sqlFenceTable =
  'create table if not exists tenfold_fences (name text collate "C" primary key, ' +
  'token text collate "C" not null)';

/**
 * `$1` the name, `$2` the token: raises the fence and locks its row until the transaction ends.
 * Gives a row back, or none when a greater token acted before. Tokens are compared byte by byte: a
 * language's collation may put digits and letters in another order.
 */
export const sqlFenceStatement =
  "insert into tenfold_fences as fence (name, token) values ($1, $2) " +
  "on conflict (name) do update set token = excluded.token " +
  'where fence.token collate "C" <= excluded.token collate "C" returning token';

/**
 * Raises the fence inside a transaction of the caller's own, as its first statement. The table must
 * be there (`sqlFenceTable`).
 *
 * @throws TENFOLD_COORDINATION_FENCED: roll the transaction back
 */
export async function raiseSqlFence(
  connection: FenceConnection,
  claim: Pick<FenceClaim, "name" | "token">,
): Promise<void> {
  const { name, token } = claim;
  const raised = await connection.query(sqlFenceStatement, [name, token]);
  if (raised.rows.length > 0) return;
  const found = await connection.query("select token from tenfold_fences where name = $1", [name]);
  throw fencedError(claim, String(found.rows[0]?.token));
}

export interface SqlFenceOptions {
  /**
   * A holder that freezes inside its transaction has the row locked; after so long the server ends
   * that transaction, and so long the next holder waits for it: 100 … 600,000.
   */
  readonly stallMs?: number;
}

export const sqlFenceDefaults: { readonly stallMs: number } = Object.freeze({ stallMs: 10_000 });

/**
 * Guards rows of PostgreSQL: the effect is one transaction, which raises the fence first. A late
 * holder is refused; one that was frozen inside its transaction keeps the next one out until it has
 * committed or the server ended it, so their effects never mix. Makes its table when it is missing.
 *
 * @throws TENFOLD_OPTION_INVALID
 */
export function sqlFence<Connection extends FenceConnection>(
  pool: FencePool<Connection>,
  options: SqlFenceOptions = {},
): FenceGuard<Connection> {
  const range = { min: 100, max: 600_000 };
  const stallMs = numberOption("stallMs", options.stallMs ?? sqlFenceDefaults.stallMs, range);
  const begin =
    `begin; set local idle_in_transaction_session_timeout = ${stallMs}; ` +
    `set local lock_timeout = ${stallMs}`;
  let table: Promise<void> | undefined;
  const tableMade = (connection: FenceConnection): Promise<void> => {
    table ??= makeTable(connection).catch((error: unknown) => {
      table = undefined;
      throw error;
    });
    return table;
  };
  return {
    async run(claim, work) {
      const connection = await pool.connect();
      let broken: Error | undefined;
      const onError = (error: Error): void => {
        broken = error;
      };
      // The pool listens only while it has the connection; without, its end would end the process.
      connection.on("error", onError);
      try {
        await tableMade(connection);
        await connection.query(begin);
        await raiseSqlFence(connection, claim);
        const result = await work(connection);
        const { command } = await connection.query("commit");
        if (command === "ROLLBACK") throw rolledBack(claim);
        return result;
      } catch (error) {
        await connection.query("rollback").catch(onError);
        throw error;
      } finally {
        connection.off("error", onError);
        connection.release(broken);
      }
    },
  };
}

/** Two that make it at once: one of them may be told that it, or its type, exists already. */
async function makeTable(connection: FenceConnection): Promise<void> {
  const { rows } = await connection.query("select to_regclass('tenfold_fences') as found");
  if (rows[0]?.found) return;
  await connection.query(sqlFenceTable).catch((error: { readonly code?: unknown }) => {
    if (error.code !== "23505" && error.code !== "42P07") throw error;
  });
}

function rolledBack({ name }: FenceClaim): TenfoldError {
  return new TenfoldError(
    "TENFOLD_POSTGRES_QUERY_FAILED",
    `A statement under the fence ${name} had failed, so the server rolled everything back.`,
  );
}
