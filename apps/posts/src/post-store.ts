import { type SlotMap, slotOf } from "tenfold/partitioning";
import { type Log, numberOption } from "tenfold/runtime";

import type { Post, Preview } from "./post.ts";
import { migrateShard } from "./post-schema.ts";
import { createShardPools } from "./shard-pools.ts";

export interface PostStoreOptions {
  /** Every shard of the placement and the URL of its primary. */
  readonly shards: readonly { readonly name: string; readonly connectionString: string }[];
  /** The placement as it is now. */
  readonly placement: () => SlotMap;
  readonly log: Log;
}

/** Which post, for a look-up: the user says on which shard it is. */
export interface PostKey {
  readonly userId: bigint;
  readonly id: bigint;
}

/**
 * Posts in PostgreSQL, by user over the shards; reads come from the primaries. Every method throws
 * TENFOLD_POSTGRES_UNAVAILABLE (retryable) while a shard is away.
 */
export interface PostStore extends AsyncDisposable {
  /** Makes the tables. Idempotent; any number of processes may do it at once. */
  migrate(): Promise<void>;
  /** Resolves when all are durable. One transaction a shard; an id that is there stays as it is. */
  insertMany(posts: readonly Post[]): Promise<void>;
  /** Newest first, at most `limit`, with ids below `before`. */
  listByUser(userId: bigint, before: bigint | undefined, limit: number): Promise<readonly Post[]>;
  byId(userId: bigint, id: bigint): Promise<Post | undefined>;
  /** The ids of those that are there. */
  present(keys: readonly PostKey[]): Promise<ReadonlySet<bigint>>;
  countByShard(): Promise<ReadonlyMap<string, number>>;
  /** Where a user's posts are. */
  locate(userId: bigint): { readonly slot: number; readonly shard: string };
  close(): Promise<void>;
}

const limits = { rowsMax: 5_000 } as const;
const columns = "user_id, id, created_at_ms, contents, url, preview";

export function createPostStore(options: PostStoreOptions): PostStore {
  const { placement } = options;
  const pools = createShardPools(options);

  /** Runs `work` side by side for every shard that holds some of the items. */
  const byShard = async <Item extends { readonly userId: bigint }, Result>(
    items: readonly Item[],
    work: (shard: string, items: readonly Item[]) => Promise<Result>,
  ): Promise<Result[]> => {
    numberOption("rows", items.length, { min: 0, max: limits.rowsMax });
    const map = placement();
    const groups = Map.groupBy(items, ({ userId }) => map.shardOfKey(userId));
    return await allSettled([...groups].map(([shard, group]) => work(shard, group)));
  };

  return {
    async migrate() {
      await allSettled(pools.names.map((shard) => pools.withClient(shard, migrateShard)));
    },
    async insertMany(posts) {
      await byShard(posts, (shard, own) =>
        pools.query<PostRow>(
          shard,
          `insert into posts (${columns})
           select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[],
                                $6::json[])
           on conflict do nothing`,
          insertValues(own),
        ),
      );
    },
    async listByUser(userId, before, limit) {
      const rows = await pools.query<PostRow>(
        placement().shardOfKey(userId),
        `select ${columns} from posts where user_id = $1 and ($2::bigint is null or id < $2)
         order by id desc limit $3`,
        [userId, before ?? null, limit],
      );
      return rows.map(postOf);
    },
    async byId(userId, id) {
      const [row] = await pools.query<PostRow>(
        placement().shardOfKey(userId),
        `select ${columns} from posts where user_id = $1 and id = $2`,
        [userId, id],
      );
      return row && postOf(row);
    },
    async present(keys) {
      const found = await byShard(keys, (shard, own) =>
        pools.query<PostRow>(
          shard,
          `select id from posts
             join unnest($1::bigint[], $2::bigint[]) as wanted (user_id, id) using (user_id, id)`,
          [own.map(({ userId }) => userId), own.map(({ id }) => id)],
        ),
      );
      return new Set(found.flat().map(({ id }) => id));
    },
    async countByShard() {
      const counts = pools.names.map(async (shard): Promise<[string, number]> => {
        const [row] = await pools.query<{ count: bigint }>(shard, "select count(*) from posts", []);
        return [shard, Number(row?.count)];
      });
      return new Map(await allSettled(counts));
    },
    locate(userId) {
      const map = placement();
      const slot = slotOf(userId, map.slots);
      return { slot, shard: map.shardOf(slot) };
    },
    close: pools.close,
    [Symbol.asyncDispose]: pools.close,
  };
}

interface PostRow {
  readonly user_id: bigint;
  readonly id: bigint;
  readonly created_at_ms: bigint;
  readonly contents: string;
  readonly url: string | null;
  readonly preview: Preview | null;
}

function postOf(row: PostRow): Post {
  return {
    id: row.id,
    userId: row.user_id,
    contents: row.contents,
    ...(row.url === null ? {} : { url: row.url }),
    ...(row.preview === null ? {} : { preview: row.preview }),
    createdAtMs: Number(row.created_at_ms),
  };
}

/** In key order: two workers with the same rows then wait for each other instead of deadlocking. */
function insertValues(posts: readonly Post[]): unknown[] {
  const rows = posts.toSorted((a, b) => compare(a.userId, b.userId) || compare(a.id, b.id));
  return [
    rows.map(({ userId }) => userId),
    rows.map(({ id }) => id),
    rows.map(({ createdAtMs }) => createdAtMs),
    rows.map(({ contents }) => contents),
    rows.map(({ url }) => url ?? null),
    rows.map(({ preview }) => (preview === undefined ? null : JSON.stringify(preview))),
  ];
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** All results, or the first failure, but only once everything has ended. */
async function allSettled<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(work);
  return settled.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}
