import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { type PgClient, type PgClientConfig, withClient } from "./client.ts";
import { createLocalStore, type LocalStore } from "./local-store.ts";
import type { PostgresServer } from "./server.ts";
import { startServer } from "./start-server.ts";

const soon = { timeout: 45_000 };
const titles: string[] = [];
let folder: string;
let store: LocalStore;
let primary: PostgresServer;
let second: PostgresServer;
let third: PostgresServer;

const open = (): Promise<LocalStore> =>
  createLocalStore({
    store: "posts",
    shards: 1,
    standbys: 2,
    folder,
    resolveFrom: import.meta.url,
    onStep: ({ title }) => titles.push(title),
  });

const reopen = async (): Promise<void> => {
  store = await open();
  [primary, second, third] = store.shards[0] as [PostgresServer, PostgresServer, PostgresServer];
};

const sql = <T>(server: PostgresServer, work: (client: PgClient) => Promise<T>): Promise<T> =>
  withClient(store.engine.pg, server.superuser(), work);

const count = (server: PostgresServer): Promise<number> =>
  sql(server, async (client) => {
    const { rows } = await client.query("select count(*)::int as n from rows");
    return rows[0]?.n as number;
  });

const kill = async (server: PostgresServer): Promise<void> => {
  process.kill(store.process(server).pid as number, "SIGKILL");
  await expect.poll(() => store.process(server).failure(), soon).toBeDefined();
};

beforeAll(async () => {
  // A path that needs quoting in every file and connection string that it stands in.
  folder = await mkdtemp(join(tmpdir(), "tenfold o'pg \\ -"));
  await reopen();
  await sql(primary, (client) => client.query("create table rows (n int primary key)"));
});

afterAll(async () => {
  await store?.close();
  await rm(folder, { recursive: true, force: true });
});

test("the steps say what was done, and the second standby was copied from the first", async () => {
  expect(titles.filter((title) => /made|copied/.test(title))).toEqual([
    "pg-posts-0-1: database made",
    "pg-posts-0-2: copied from pg-posts-0-1",
    "pg-posts-0-3: copied from pg-posts-0-2",
  ]);
  // The server itself notes where a copy was taken.
  const source = async ({ spec }: PostgresServer): Promise<string | undefined> => {
    const label = await readFile(join(spec.folder, "data", "backup_label.old"), "utf8");
    return /BACKUP FROM: (\w+)/.exec(label)?.[1];
  };
  expect([await source(second), await source(third)]).toEqual(["primary", "standby"]);
  // Both follow the primary all the same.
  const followers = await sql(primary, (client) =>
    client.query("select application_name as name, state from pg_stat_replication order by 1"),
  );
  expect(followers.rows).toEqual([
    { name: "pg_posts_0_2", state: "streaming" },
    { name: "pg_posts_0_3", state: "streaming" },
  ]);
});

test("a row is seen on both standbys, which take no writes", async () => {
  await sql(primary, (client) => client.query("insert into rows values (1)"));
  await expect.poll(() => count(second), soon).toBe(1);
  await expect.poll(() => count(third), soon).toBe(1);
  const write = sql(second, (client) => client.query("insert into rows values (2)"));
  await expect(write).rejects.toMatchObject({ code: "TENFOLD_POSTGRES_UNAVAILABLE" });
});

test("a killed primary comes back with every acknowledged row, its standbys after it", async () => {
  let acknowledged = await count(primary);
  const writing = sql(primary, async (client): Promise<void> => {
    for (let n = 100; ; n++) {
      await client.query("insert into rows values ($1)", [n]);
      acknowledged += 1;
    }
  }).catch((error: unknown) => error);
  await expect.poll(() => acknowledged, soon).toBeGreaterThan(50);
  await kill(primary);
  expect(await writing).toMatchObject({ code: "TENFOLD_POSTGRES_UNAVAILABLE", retryable: true });
  await store.restart(primary);
  const kept = await count(primary);
  // The one row in flight may have been committed without an answer.
  expect([acknowledged, acknowledged + 1]).toContain(kept);
  await expect.poll(() => count(second), soon).toBe(kept);
  await expect.poll(() => count(third), soon).toBe(kept);
});

test("a postmaster.pid that names a living stranger does not stop a restart", async () => {
  await kill(third);
  const file = join(third.spec.folder, "data", "postmaster.pid");
  // The number that was the server's is by now another program's. (PostgreSQL knows its parent.)
  const stranger = spawn(process.execPath, ["-e", "setInterval(() => {}, 60_000)"]);
  const [, ...lines] = (await readFile(file, "utf8")).split("\n");
  await writeFile(file, [stranger.pid, ...lines].join("\n"));
  const refused = startServer(third);
  await expect
    .poll(() => refused.failure(), soon)
    .toMatchObject({
      code: "TENFOLD_POSTGRES_FOLDER_IN_USE",
    });
  await store.restart(third);
  expect(await third.state()).toEqual({ role: "standby", streaming: true });
  stranger.kill("SIGKILL");
});

test("a second server on the same folder, or on a taken port, is refused by code", async () => {
  await expect(second.prepare()).rejects.toMatchObject({ code: "TENFOLD_POSTGRES_FOLDER_IN_USE" });
  await store.process(second).close();
  const blocker = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) =>
    blocker.listen({ host: "127.0.0.1", port: second.spec.port }, resolve),
  );
  await expect(store.restart(second)).rejects.toMatchObject({
    code: "TENFOLD_POSTGRES_PORT_TAKEN",
  });
  await new Promise((resolve) => blocker.close(resolve));
  await store.restart(second);
});

test("who may come in", async () => {
  const { pg, credentials } = store.engine;
  const as = (user: string, password: string, database: string): Promise<unknown> => {
    const config: PgClientConfig = { ...primary.superuser(database), user, password };
    return withClient(pg, config, (client) => client.query("select 1"));
  };
  const refused = { code: "TENFOLD_POSTGRES_REFUSED", retryable: false };
  await as("app", credentials.app, "app");
  await expect(as("app", "guess", "app")).rejects.toMatchObject(refused);
  await expect(as("tenfold", "", "postgres")).rejects.toMatchObject(refused);
  await expect(as("app", credentials.app, "postgres")).rejects.toMatchObject(refused);
  await expect(as("replicator", credentials.replicator, "app")).rejects.toMatchObject(refused);
  expect((await stat(join(folder, "credentials.json"))).mode & 0o777).toBe(0o600);
});

test("a standby that fell too far behind is copied anew", async () => {
  await store.process(third).close();
  await sql(primary, async (client) => {
    await client.query("alter system set max_slot_wal_keep_size = '16MB'");
    await client.query("select pg_reload_conf()");
    for (let segment = 0; segment < 6; segment++) {
      await client.query("select pg_switch_wal(), txid_current()");
    }
    await client.query("checkpoint");
    await client.query("alter system reset max_slot_wal_keep_size");
    const { rows } = await client.query(
      "select slot_name from pg_replication_slots where wal_status = 'lost'",
    );
    expect(rows).toEqual([{ slot_name: "pg_posts_0_3" }]);
  });
  const marker = join(third.spec.folder, "data", "of-the-old-copy");
  await writeFile(marker, "");
  await store.close();
  await reopen();
  expect(await count(third)).toBe(await count(primary));
  await expect(stat(marker)).rejects.toMatchObject({ code: "ENOENT" });
});

test("a later start finds the data, and begins half a copy over", async () => {
  const kept = await count(primary);
  await store.close();
  await rm(join(second.spec.folder, "data"), { recursive: true });
  await mkdir(join(second.spec.folder, "data.partial"));
  await writeFile(join(second.spec.folder, "data.partial", "half-a-copy"), "");
  await reopen();
  expect(await Promise.all([primary, second, third].map(count))).toEqual([kept, kept, kept]);
  expect(await readdir(second.spec.folder)).toEqual(["data", "replication.pgpass"]);
  expect(await readdir(join(second.spec.folder, "data"))).not.toContain("half-a-copy");
});

test("a primary whose folder is gone is not replaced by an empty one", async () => {
  await store.close();
  const data = join(primary.spec.folder, "data");
  await rename(data, `${data}.away`);
  await expect(open()).rejects.toMatchObject({ code: "TENFOLD_POSTGRES_PRIMARY_MISSING" });
  await rename(`${data}.away`, data);
});

test("data of another major version is refused by code", async () => {
  const file = join(third.spec.folder, "data", "PG_VERSION");
  await writeFile(file, "15\n");
  await expect(third.hasData()).rejects.toMatchObject({
    code: "TENFOLD_POSTGRES_VERSION_MISMATCH",
  });
  const server = startServer(third);
  await expect
    .poll(() => server.failure(), soon)
    .toMatchObject({
      code: "TENFOLD_POSTGRES_VERSION_MISMATCH",
    });
});
