import { nearCache } from "tenfold/caching";
import type { Queue } from "tenfold/queueing";
import type { IncomingCall } from "tenfold/resilience";
import type { Clock } from "tenfold/runtime";

import { decodePost, encodePost, type Post, sortKey } from "./post.ts";
import type { PostStore } from "./post-store.ts";

export type PostSource = "cache" | "pending" | "shard";

export interface PostPage {
  readonly posts: readonly Post[];
  /** The id that the next page begins below; undefined when this is the last. */
  readonly nextBefore: bigint | undefined;
  /** How many of the posts came from the pending index only. */
  readonly fromPending: number;
}

export interface ReadOptions {
  readonly signal?: AbortSignal;
  readonly deadlineMs?: number;
  /** Of the request that it is read for. */
  readonly incoming?: IncomingCall;
}

export interface PostReader {
  /** Newest first, exactly: every accepted post once, on one page. */
  list(
    userId: bigint,
    page: { readonly before?: bigint; readonly limit: number },
    options?: ReadOptions,
  ): Promise<PostPage>;
  one(
    userId: bigint,
    id: bigint,
    options?: ReadOptions,
  ): Promise<{ readonly post: Post; readonly source: PostSource } | undefined>;
}

export interface PostReaderOptions {
  readonly queue: Queue;
  readonly store: PostStore;
  readonly clock: Clock;
}

const cacheTtlMs = 60_000;

/**
 * Reads over queue and shards. The pending index is always asked BEFORE the shard: a post that has
 * left it by then was committed earlier, so the shard that is asked next shows it. The other way
 * round a post could slip through between the two. Posts never change, so one may be cached.
 */
export function createPostReader(options: PostReaderOptions): PostReader {
  const { queue, store, clock } = options;
  const posts = nearCache<Post>({
    clock,
    ttlMs: cacheTtlMs,
    bytesOf: (post) => encodePost(post).length,
  });
  return {
    async list(userId, { before, limit }, call) {
      const pending = await queue.pending(
        {
          key: userId.toString(),
          limit: limit + 1,
          ...(before === undefined ? {} : { before: sortKey(before) }),
        },
        call,
      );
      const stored = await store.listByUser(userId, before, limit + 1);
      const merged = new Map(stored.map((post) => [post.id, post]));
      let fromPending = 0;
      for (const { body } of pending) {
        const post = decodePost(body);
        if (merged.has(post.id)) continue;
        merged.set(post.id, post);
        fromPending += 1;
      }
      const newest = [...merged.values()].sort((a, b) => (a.id > b.id ? -1 : 1));
      const page = newest.slice(0, limit);
      const nextBefore = newest.length > limit ? page.at(-1)?.id : undefined;
      return { posts: page, nextBefore, fromPending };
    },
    async one(userId, id, call) {
      const key = `${userId}/${id}`;
      const hit = posts.get(key);
      if (hit !== undefined) return { post: hit.value, source: "cache" };
      const [pending] = await queue.pending(
        { key: userId.toString(), before: sortKey(id + 1n), limit: 1 },
        call,
      );
      if (pending?.sort === sortKey(id)) {
        return { post: decodePost(pending.body), source: "pending" };
      }
      const post = await store.byId(userId, id);
      if (post === undefined) return undefined;
      posts.set(key, post);
      return { post, source: "shard" };
    },
  };
}
