import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import type { FenceClaim } from "../../coordination/hold.ts";
import { createLocalStore, type LocalStore } from "./local-store.ts";
import { type FenceConnection, type FencePool, sqlFence, sqlFenceStatement } from "./sql-fence.ts";

interface Pool extends FencePool, FenceConnection {
  on(event: "error", listener: (error: Error) => void): unknown;
  end(): Promise<void>;
}

const { Pool } = createRequire(import.meta.url)("pg") as {
  readonly Pool: new (options: { connectionString: string; max: number }) => Pool;
};

const claim = (token: string, name = "/locks/stock/"): FenceClaim => ({
  ...{ name, token, key: `${name}x` },
  session: {} as FenceClaim["session"],
});
const older = claim("00000000.0000000000000009");
const newer = claim("00000000.000000000000000a");
const late = { code: "TENFOLD_COORDINATION_FENCED", retryable: false };

let folder: string;
let store: LocalStore;
let pool: Pool;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tenfold-fence-"));
  const places = { folder, resolveFrom: import.meta.url };
  store = await createLocalStore({ store: "fence", shards: 1, standbys: 0, ...places });
  pool = new Pool({ connectionString: store.connections[0]?.primary as string, max: 20 });
  pool.on("error", () => {});
  await pool.query("create table stock (name text primary key, pieces int)");
});

afterAll(async () => {
  await pool?.end();
  await store?.close();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  await pool.query("drop table if exists tenfold_fences");
  await pool.query("delete from stock");
  await pool.query("insert into stock values ('bolts', 10)");
});

const take = (pieces: number) => (sql: FenceConnection) =>
  sql.query("update stock set pieces = pieces - $1", [pieces]);
const pieces = async () => (await pool.query("select pieces from stock")).rows[0]?.pieces;

test("the newer holder's effect comes about, the older one's does not, nor half of it", async () => {
  const guard = sqlFence(pool);
  await guard.run(older, take(1));
  await guard.run(newer, take(2));
  await expect(guard.run(older, take(5))).rejects.toMatchObject({
    ...late,
    details: { name: older.name, token: older.token, by: newer.token },
  });
  expect(await pieces()).toBe(7);
  await guard.run(newer, take(1));
  expect(await pieces()).toBe(6);
  const fences = await pool.query("select name, token from tenfold_fences");
  expect(fences.rows).toEqual([{ name: newer.name, token: newer.token }]);
});

test("a failed effect leaves neither rows nor a raised fence", async () => {
  const guard = sqlFence(pool);
  const failing = guard.run(newer, async (sql) => {
    await take(1)(sql);
    throw new Error("the shop burnt down");
  });
  await expect(failing).rejects.toThrow("the shop burnt down");
  // Whoever swallows a statement's error must not be told that it was committed.
  const swallowing = guard.run(newer, async (sql) => {
    await take(1)(sql);
    await sql.query("select 1 / 0").catch(() => {});
  });
  await expect(swallowing).rejects.toMatchObject({ code: "TENFOLD_POSTGRES_QUERY_FAILED" });
  await guard.run(older, take(1));
  expect(await pieces()).toBe(9);
});

test("fifty holders at once: what is committed stands in the order of their tokens", async () => {
  await pool.query('create table log (at serial, token text collate "C")');
  const holders = Array.from({ length: 50 }, (_, index) =>
    claim(`00000000.${index.toString(16).padStart(16, "0")}`),
  ).toSorted(() => Math.random() - 0.5);
  const outcomes = await Promise.allSettled(
    // Each with a guard of its own, as in a process of its own: all make the table at once.
    holders.map((holder) =>
      sqlFence(pool).run(holder, (sql) =>
        sql.query("insert into log (token) values ($1)", [holder.token]),
      ),
    ),
  );
  const refused = outcomes.filter(({ status }) => status === "rejected");
  for (const one of refused) expect(one).toMatchObject({ reason: late });
  const { rows } = await pool.query("select token from log order by at");
  const tokens = rows.map(({ token }) => token as string);
  expect(tokens).toEqual(tokens.toSorted());
  expect(tokens.at(-1)).toBe("00000000.0000000000000031");
  expect(tokens.length + refused.length).toBe(50);
});

test("a holder that freezes inside its transaction is ended by the server", async () => {
  const guard = sqlFence(pool, { stallMs: 300 });
  const frozen = Promise.withResolvers<void>();
  const began = Promise.withResolvers<void>();
  const stalled = guard.run(older, async (sql) => {
    await take(5)(sql);
    began.resolve();
    await frozen.promise;
    return await take(5)(sql);
  });
  const ended = expect(stalled).rejects.toThrow();
  await began.promise;
  const next = sqlFence(pool, { stallMs: 5_000 });
  await next.run(newer, take(1));
  frozen.resolve();
  await ended;
  expect(await pieces()).toBe(9);
});

test("without its condition the statement lets the older one through", async () => {
  const blind = sqlFenceStatement.replace(/where .* (?=returning)/, "");
  expect(blind).not.toBe(sqlFenceStatement);
  await sqlFence(pool).run(newer, take(1));
  expect((await pool.query(blind, [older.name, older.token])).rows).toHaveLength(1);
});
