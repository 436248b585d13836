import pg from "pg";
import {
  type Coordinator,
  coordinatorFence,
  type FenceClaim,
  type FenceGuard,
} from "tenfold/coordination";
import { type FenceConnection, type FencePool, sqlFence } from "tenfold/engines/postgres";
import { type FencedRedis, redisFence } from "tenfold/engines/redis";
import { connectRedisServer } from "tenfold/testing";

/** Where the resource is that is acted on under a lock. Everything of it begins with `prefix`. */
export interface ResourcePlace {
  readonly guard: "coordinator key" | "SQL row" | "Redis function";
  readonly prefix: string;
  /** A connection string, the path of a socket; nothing for the coordinator itself. */
  readonly at?: string;
}

/** A resource that takes effects in an order of its own; each leaves its holder's token there. */
export interface GuardedResource {
  /** One effect through the guard. */
  guarded(claim: FenceClaim): Promise<void>;
  /** The same without it. */
  bare(claim: FenceClaim): Promise<void>;
  /** Effects of one holder may be on their way together. */
  readonly isConcurrent: boolean;
}

export const guardedKey = "guarded";
export const bareKey = "bare";

/** How the holders' processes reach it. */
export async function openResource(
  { guard, prefix, at = "" }: ResourcePlace,
  coordinator: Coordinator,
): Promise<GuardedResource> {
  if (guard === "coordinator key") return coordinatorKey(coordinator, prefix);
  return guard === "SQL row" ? sqlRow(at, prefix) : await redisList(at, prefix);
}

function coordinatorKey(coordinator: Coordinator, prefix: string): GuardedResource {
  const fence = coordinatorFence(coordinator);
  let count = 0;
  // In turn: a watch may merge the states of one key, and a node takes so many keys and no more.
  const put = async (transact: Coordinator["transact"], key: string, value: string) => {
    const change = [{ put: `${prefix}${key}/${process.pid}/${count++ % keysOfEach}`, value }];
    const { outcome } = await transact({ change });
    if (outcome !== "applied") throw new Error(`the put was ${outcome}`);
  };
  return {
    isConcurrent: true,
    guarded: (claim) => fence.run(claim, (transact) => put(transact, guardedKey, claim.token)),
    bare: ({ token }) => put((...asked) => coordinator.transact(...asked), bareKey, token),
  };
}

const keysOfEach = 5_000;

const insert = "insert into effects (resource, token) values ($1, $2)";
/** The order in which rows are made is that in which they take their numbers. */
const table =
  "create table effects (at bigint generated always as identity, resource text, token text)";
/** A holder that is stopped inside its transaction keeps the next one out for so long. */
const stallMs = 1_000;

export async function makeEffectsTable(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(table);
  await client.end();
}

function sqlRow(url: string, prefix: string): GuardedResource {
  // What is asked here is who acts when, not what a crash leaves.
  const options = "-c synchronous_commit=off";
  const pool = new pg.Pool({ connectionString: url, max: 2, options });
  pool.on("error", () => {});
  const fence: FenceGuard<FenceConnection> = sqlFence(pool as FencePool, { stallMs });
  const leave = async (sql: FenceConnection, key: string, token: string) => {
    await sql.query(insert, [`${prefix}${key}`, token]);
  };
  return {
    isConcurrent: false,
    guarded: (claim) => fence.run(claim, (sql) => leave(sql, guardedKey, claim.token)),
    bare: ({ token }) => leave(pool as FenceConnection, bareKey, token),
  };
}

async function redisList(socketPath: string, prefix: string): Promise<GuardedResource> {
  const { command } = await connectRedisServer(socketPath);
  const fence: FenceGuard<FencedRedis> = redisFence(command);
  return {
    isConcurrent: true,
    async guarded(claim) {
      const push = ["RPUSH", `${prefix}${guardedKey}`, claim.token] as const;
      await fence.run(claim, (redis) => redis([push]));
    },
    async bare({ token }) {
      await command(["RPUSH", `${prefix}${bareKey}`, token]);
    },
  };
}

/** The tokens in the order in which the resource took the effects; not for the coordinator's. */
export async function tokensAt(
  { guard, prefix, at = "" }: ResourcePlace,
  key: string,
): Promise<string[]> {
  if (guard === "SQL row") {
    const client = new pg.Client({ connectionString: at });
    await client.connect();
    const asked = "select token from effects where resource = $1 order by at";
    const { rows } = await client.query<{ token: string }>(asked, [`${prefix}${key}`]);
    await client.end();
    return rows.map(({ token }) => token);
  }
  const connection = await connectRedisServer(at);
  const tokens: string[] = [];
  for (;;) {
    const range = [String(tokens.length), String(tokens.length + pageSize - 1)];
    const page = await connection.command(["LRANGE", `${prefix}${key}`, ...range]);
    tokens.push(...(page as string[]));
    if ((page as string[]).length < pageSize) break;
  }
  connection.close();
  return tokens;
}

const pageSize = 1_000;
