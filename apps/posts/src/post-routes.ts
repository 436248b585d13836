import { randomUUID } from "node:crypto";

import type { ServiceRequest, ServiceResponse, ServiceRoutes } from "tenfold/fleet";

import { AppError } from "./app-error.ts";
import type { CursorCodec } from "./cursor.ts";
import { demoPage } from "./demo-page.ts";
import type { PostsSettings } from "./live-settings.ts";
import type { Post } from "./post.ts";
import { parseId, parseLimit, parsePostInput } from "./post-input.ts";
import type { PostReader, ReadOptions } from "./post-reader.ts";
import type { PostStore } from "./post-store.ts";
import type { PostWriter } from "./post-writer.ts";

export interface PostRoutesOptions {
  readonly reader: PostReader;
  readonly writer: PostWriter;
  readonly store: PostStore;
  readonly cursors: CursorCodec;
  /** The name of this instance, for the demo page. */
  readonly instance: string;
  readonly settings: PostsSettings;
}

/** The API: what comes in is checked here, what goes out is shaped here. */
export function postRoutes(options: PostRoutesOptions): ServiceRoutes {
  const { reader, writer, store, cursors, instance, settings } = options;

  const write = async (request: ServiceRequest): Promise<ServiceResponse> => {
    const { signal, remainingMs, incoming } = request;
    const userId = parseId("user", request.params.user ?? "");
    const input = parsePostInput(await request.json());
    const idempotencyKey = parseIdempotencyKey(request);
    const asked = { userId, input, idempotencyKey, signal, remainingMs, incoming };
    const written = await writer.write(asked);
    return {
      status: 201,
      headers: {
        location: `/api/v1/posts/${userId}/${written.post.id}`,
        ...(written.replayed ? { "idempotent-replayed": "true" } : {}),
      },
      body: shape(written.post),
    };
  };

  const page = async (request: ServiceRequest) => {
    const userId = parseId("user", request.params.user ?? request.query.get("user") ?? "");
    const cursor = request.query.get("cursor");
    const asked = parseLimit(request.query.get("limit"));
    const limit = Math.min(asked, settings.current["posts.pageMax"]);
    const before = cursor === null ? undefined : cursors.decode(userId, cursor);
    const call = readOptions(request);
    const found = await reader.list(
      userId,
      { limit, ...(before === undefined ? {} : { before }) },
      call,
    );
    const { nextBefore } = found;
    const nextCursor = nextBefore === undefined ? null : cursors.encode(userId, nextBefore);
    return { userId, found, nextCursor };
  };

  return {
    "POST /api/v1/posts/:user": write,
    // An older name of the same route; by POST alone, since a GET must not write.
    "POST /api/v1/write_post/:user": write,
    "GET /api/v1/posts/:user": async (request) => {
      const { found, nextCursor } = await page(request);
      return { status: 200, body: { posts: found.posts.map(shape), nextCursor } };
    },
    "GET /api/v1/posts/:user/:post": async (request) => {
      const { params } = request;
      const userId = parseId("user", params.user ?? "");
      const id = parseId("post", params.post ?? "");
      const found = await reader.one(userId, id, readOptions(request));
      if (found === undefined) {
        throw new AppError("POSTS_NOT_FOUND", `User ${userId} has no post ${id}.`);
      }
      return {
        status: 200,
        headers: { "posts-source": found.source },
        body: shape(found.post),
      };
    },
    "GET /demo": async (request) => {
      if (!request.query.has("user")) request.query.set("user", "42");
      const { userId, found, nextCursor } = await page(request);
      const sources = await Promise.all(
        found.posts.map(({ id }) => reader.one(userId, id, readOptions(request))),
      );
      const rows = sources.flatMap((each) => (each === undefined ? [] : [each]));
      return {
        status: 200,
        headers: {
          "content-type": "text/html; charset=utf-8",
          "content-security-policy":
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
        },
        body: demoPage({ userId, rows, nextCursor, instance, ...store.locate(userId) }),
      };
    },
  };
}

function readOptions({ signal, remainingMs, incoming }: ServiceRequest): ReadOptions {
  return { signal, deadlineMs: remainingMs(), incoming };
}

/** The caller's key, or one of our own: then our calls may be repeated, but not the caller's. */
function parseIdempotencyKey({ headers }: ServiceRequest): string {
  const key = headers["idempotency-key"];
  if (key === undefined) return randomUUID();
  if (typeof key === "string" && /^[\x21-\x7e]{1,100}$/.test(key)) return key;
  throw new AppError(
    "POSTS_INPUT_INVALID",
    "Idempotency-Key must be 1 to 100 visible ASCII characters.",
  );
}

/** A post as the API shows it: ids as text, since JSON numbers lose digits above 2^53. */
function shape(post: Post): object {
  const { id, userId, createdAtMs, ...rest } = post;
  return {
    id: id.toString(),
    userId: userId.toString(),
    ...rest,
    createdAt: new Date(createdAtMs).toISOString(),
  };
}
