import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLocalStore, type LocalStore } from "tenfold/engines/postgres";
import { evenSlotMap } from "tenfold/partitioning";
import { silentLog } from "tenfold/runtime";
import { afterAll, beforeAll, expect, test } from "vitest";

import type { Post } from "./post.ts";
import { createPostStore, type PostStore } from "./post-store.ts";
import { createShardPools } from "./shard-pools.ts";

const idMax = 2n ** 63n - 1n;
let folder: string;
let local: LocalStore;
let store: PostStore;

const shardsOf = () =>
  local.connections.map(({ name, primary }) => ({ name, connectionString: primary }));
const open = (): PostStore => {
  const map = evenSlotMap(local.connections.map(({ name }) => name));
  return createPostStore({ shards: shardsOf(), placement: () => map, log: silentLog });
};
const post = (userId: bigint, id: bigint): Post => ({
  id,
  userId,
  contents: `post ${id} of ${userId}: "quoted", {braced}, \\ and 안녕 🚀`,
  createdAtMs: 1_700_000_000_000 + Number(id % 1_000n),
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tenfold-posts-"));
  const options = { store: "posts", shards: 2, standbys: 0, folder };
  local = await createLocalStore({ ...options, resolveFrom: import.meta.url });
  store = open();
});

afterAll(async () => {
  await store?.close();
  await local?.close();
  await rm(folder, { recursive: true, force: true });
});

test("several processes may make the tables at once, again and again", async () => {
  const others = Array.from({ length: 4 }, open);
  await Promise.all([store, ...others].map((each) => each.migrate()));
  await store.migrate();
  await Promise.all(others.map((each) => each.close()));
  expect(await store.countByShard()).toEqual(
    new Map([
      ["posts-0", 0],
      ["posts-1", 0],
    ]),
  );
});

test("a post comes back exactly: the largest ids, every optional field, nothing added", async () => {
  const full: Post = {
    ...post(idMax, idMax),
    url: "https://example.org/?a=1&b={2}",
    preview: { title: 'NULL, "t"', url: "u", type: "article", image: "i", author: "a" },
  };
  const bare = post(0n, 1n);
  await store.insertMany([full, bare]);
  expect(await store.byId(idMax, idMax)).toEqual(full);
  expect(await store.byId(0n, 1n)).toEqual(bare);
  expect(await store.byId(0n, 2n)).toBeUndefined();
});

test("writing again changes nothing, also at the same time in another order", async () => {
  const batch = Array.from({ length: 300 }, (_, n) => post(BigInt(n % 7) + 10n, BigInt(n)));
  const counts = async (): Promise<number> =>
    [...(await store.countByShard()).values()].reduce((sum, count) => sum + count, 0);
  const before = await counts();
  await Promise.all([
    store.insertMany(batch),
    store.insertMany(batch.toReversed()),
    store.insertMany([...batch.slice(150), ...batch.slice(0, 150), ...batch.slice(0, 10)]),
  ]);
  await store.insertMany([{ ...(batch[0] as Post), contents: "changed" }]);
  expect(await counts()).toBe(before + batch.length);
  expect((await store.byId(10n, 0n))?.contents).toBe(batch[0]?.contents);
  for (const count of (await store.countByShard()).values()) expect(count).toBeGreaterThan(0);
});

test("pages are newest first, whole, without a post twice", async () => {
  const user = 77n;
  const ids = Array.from({ length: 53 }, (_, n) => idMax - BigInt(n) * 3n);
  await store.insertMany(ids.map((id) => post(user, id)).toReversed());
  const seen: bigint[] = [];
  for (let before: bigint | undefined; ; ) {
    const page = await store.listByUser(user, before, 10);
    seen.push(...page.map(({ id }) => id));
    if (page.length < 10) break;
    before = page.at(-1)?.id;
  }
  expect(seen).toEqual(ids);
  expect(await store.listByUser(78n, undefined, 10)).toEqual([]);
});

test("an audit is told which of its rows are there", async () => {
  const rows = [
    { userId: 77n, id: idMax },
    { userId: 77n, id: 5n },
    { userId: 10n, id: 0n },
    { userId: 11n, id: 0n },
  ];
  expect(await store.present(rows)).toEqual(new Set([idMax, 0n]));
  expect(await store.present([])).toEqual(new Set());
});

test("a shard that is killed is missed by retryable codes, and found again by itself", async () => {
  const [primary] = local.shards[0] as [(typeof local.shards)[0][0]];
  const user = Array.from({ length: 50 }, (_, n) => BigInt(n)).find(
    (id) => store.locate(id).shard === "posts-0",
  ) as bigint;
  await Promise.all(Array.from({ length: 5 }, () => store.listByUser(user, undefined, 1)));
  process.kill(local.process(primary!).pid as number, "SIGKILL");
  await expect.poll(() => local.process(primary!).failure()).toBeDefined();
  const away = { code: "TENFOLD_POSTGRES_UNAVAILABLE", retryable: true };
  for (let attempt = 0; attempt < 10; attempt++) {
    await expect(store.insertMany([post(user, 9n)])).rejects.toMatchObject(away);
  }
  await expect(store.countByShard()).rejects.toMatchObject(away);
  await local.restart(primary!);
  await store.insertMany([post(user, 9n)]);
  expect(await store.present([{ userId: user, id: 9n }])).toEqual(new Set([9n]));
});

test("tables of a later program version are left alone", async () => {
  const pools = createShardPools({ shards: shardsOf(), log: silentLog });
  await pools.query("posts-1", "insert into schema_version (version) values (99)", []);
  await expect(store.migrate()).rejects.toMatchObject({ code: "TENFOLD_POSTGRES_SCHEMA_NEWER" });
  await pools.close();
});

test("a wrong password is refused for good, a shard without servers by name", async () => {
  const wrong = local.connections[0]!.primary.replace(/:[^:@]+@/, ":guess@");
  const map = evenSlotMap(["posts-0", "elsewhere"]);
  const other = createPostStore({
    shards: [{ name: "posts-0", connectionString: wrong }],
    placement: () => map,
    log: silentLog,
  });
  await expect(other.migrate()).rejects.toMatchObject({
    code: "TENFOLD_POSTGRES_REFUSED",
    retryable: false,
  });
  const users = Array.from({ length: 20 }, (_, n) => post(BigInt(n), 1n));
  await expect(other.insertMany(users)).rejects.toThrow();
  const lost = users.find(({ userId }) => map.shardOfKey(userId) === "elsewhere") as Post;
  await expect(other.byId(lost.userId, 1n)).rejects.toThrow(/"elsewhere"/);
  await other.close();
});
