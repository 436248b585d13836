import pg from "pg";
import { postgresError } from "tenfold/engines/postgres";
import { errorText, invalidOption, type Log } from "tenfold/runtime";

export interface ShardPoolsOptions {
  readonly shards: readonly { readonly name: string; readonly connectionString: string }[];
  readonly log: Log;
}

/**
 * A few connections to every shard. One that breaks is replaced by the next query that needs it.
 */
export interface ShardPools {
  readonly names: readonly string[];
  /**
   * @throws TENFOLD_POSTGRES_UNAVAILABLE (retryable), TENFOLD_POSTGRES_REFUSED,
   * TENFOLD_POSTGRES_QUERY_FAILED; TENFOLD_OPTION_INVALID for a shard that has no pool
   */
  query<Row extends object>(shard: string, text: string, values: unknown[]): Promise<Row[]>;
  /** One connection for the length of `work`; closed instead of given back when that fails. */
  withClient(
    shard: string,
    work: (client: pg.ClientBase, shard: string) => Promise<void>,
  ): Promise<void>;
  close(): Promise<void>;
}

export const shardPoolDefaults: {
  readonly connectionsMax: number;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
  readonly queryTimeoutMs: number;
  readonly idleTimeoutMs: number;
} = Object.freeze({
  connectionsMax: 5,
  connectTimeoutMs: 2_000,
  statementTimeoutMs: 5_000,
  // For a server that is frozen and cannot keep its own limit.
  queryTimeoutMs: 6_000,
  idleTimeoutMs: 30_000,
});

export function createShardPools({ shards, log }: ShardPoolsOptions): ShardPools {
  const pools = new Map(
    shards.map(({ name, connectionString }) => [name, openPool(connectionString, log, name)]),
  );
  const poolOf = (shard: string): pg.Pool => {
    const pool = pools.get(shard);
    if (pool !== undefined) return pool;
    throw invalidOption("placement", `made of the shards ${[...pools.keys()].join(", ")}`, shard);
  };
  let closed: Promise<void> | undefined;
  return {
    names: [...pools.keys()],
    async query<Row extends object>(shard: string, text: string, values: unknown[]) {
      try {
        return (await poolOf(shard).query<Row>(text, values)).rows;
      } catch (error) {
        throw postgresError(error, shard);
      }
    },
    async withClient(shard, work) {
      try {
        await useClient(await poolOf(shard).connect(), (client) => work(client, shard));
      } catch (error) {
        throw postgresError(error, shard);
      }
    },
    close() {
      closed ??= Promise.all([...pools.values()].map((pool) => pool.end())).then(() => {});
      return closed;
    },
  };
}

async function useClient(
  client: pg.PoolClient,
  work: (client: pg.ClientBase) => Promise<void>,
): Promise<void> {
  let failure: Error | undefined;
  // While it is in use the pool does not listen, and an unheard error would end the process.
  const listener = (error: Error): void => {
    failure = error;
  };
  client.on("error", listener);
  try {
    await work(client);
  } catch (error) {
    failure = error as Error;
    throw error;
  } finally {
    client.off("error", listener);
    client.release(failure);
  }
}

function openPool(connectionString: string, log: Log, shard: string): pg.Pool {
  const { connectionsMax, connectTimeoutMs, statementTimeoutMs } = shardPoolDefaults;
  const { queryTimeoutMs, idleTimeoutMs } = shardPoolDefaults;
  const pool = new pg.Pool({
    connectionString,
    max: connectionsMax,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    query_timeout: queryTimeoutMs,
    idleTimeoutMillis: idleTimeoutMs,
    application_name: "posts",
    types: { getTypeParser },
  });
  // Without a listener an idle connection that breaks would end the process.
  pool.on("error", (error) => {
    log.warn("connection lost; the next query opens another", { shard, reason: errorText(error) });
  });
  return pool;
}

/** int8 as bigint, for these connections only; the rest as the driver has it. */
const getTypeParser = ((oid: number, format?: "text") =>
  oid === pg.types.builtins.INT8
    ? BigInt
    : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser;
