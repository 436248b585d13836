import { createHash } from "node:crypto";

import type { ServiceClient, ServiceReply } from "tenfold/discovery";
import type { Queue } from "tenfold/queueing";
import type { IncomingCall } from "tenfold/resilience";
import type { Runtime } from "tenfold/runtime";
import type { Registry } from "tenfold/telemetry";

import { AppError } from "./app-error.ts";
import type { PostsSettings } from "./live-settings.ts";
import { decodePost, encodePost, type Post, sortKey } from "./post.ts";
import type { PostInput } from "./post-input.ts";
import { postPreviews } from "./post-previews.ts";

export interface PostWriterOptions {
  readonly queue: Queue;
  readonly guid: ServiceClient;
  readonly scrap: ServiceClient;
  readonly runtime: Runtime;
  readonly metrics: Registry;
  readonly settings: PostsSettings;
}

export interface WriteRequest {
  readonly userId: bigint;
  readonly input: PostInput;
  /** The caller's own key for this write, unique for the user. */
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
  readonly remainingMs: () => number;
  /** Deadline and retry signal of the request that it is written for. */
  readonly incoming: IncomingCall;
}

export interface Written {
  readonly post: Post;
  /** True when the same write was accepted before; nothing was stored twice. */
  readonly replayed: boolean;
}

export interface PostWriter {
  /** Returns when the post is durable in the queue. */
  write(request: WriteRequest): Promise<Written>;
}

/** guid and preview at the same time, then the queue: accepted means on disk. */
export function createPostWriter(options: PostWriterOptions): PostWriter {
  const { queue, guid, scrap, runtime, metrics, settings } = options;
  const { clock } = runtime;
  const previewOf = postPreviews({ scrap, runtime, metrics, settings });

  const newId = async ({ signal, incoming }: WriteRequest): Promise<bigint> => {
    const answer = await guid.request({ method: "GET", path: "/api/v1/guid", signal, incoming });
    if (answer.status !== 200) throw unavailable("guid", answer);
    return BigInt(answer.json<{ guid: string }>().guid);
  };
  return {
    async write(request) {
      const { userId, input, idempotencyKey, signal, remainingMs, incoming } = request;
      const { contents, url } = input;
      const isPreviewed = url !== undefined && settings.current["posts.previews"];
      const [id, preview] = await Promise.all([
        newId(request),
        isPreviewed ? previewOf(url, request) : undefined,
      ]);
      const post: Post = {
        id,
        userId,
        contents,
        ...(url === undefined ? {} : { url }),
        ...(preview === undefined ? {} : { preview }),
        createdAtMs: clock.wallNow(),
      };
      const result = await queue.enqueue(
        {
          key: userId.toString(),
          sort: sortKey(id),
          body: encodePost(post),
          idempotencyKey: `${userId}/${idempotencyKey}`,
          fingerprint: fingerprint(input),
        },
        { signal, deadlineMs: remainingMs(), incoming },
      );
      if (result.status === "conflict") {
        throw new AppError(
          "POSTS_IDEMPOTENCY_KEY_REUSED",
          "This Idempotency-Key was used for another post; give every post a key of its own.",
        );
      }
      return { post: decodePost(result.body), replayed: result.status === "duplicate" };
    },
  };
}

function fingerprint({ contents, url }: PostInput): string {
  return createHash("sha256")
    .update(JSON.stringify([contents, url]))
    .digest("base64url");
}

/** The answer is the cause: it says whether those above may ask again. */
function unavailable(service: string, answer: ServiceReply): AppError {
  const message = `${service} answered ${answer.status}; try again.`;
  return new AppError("POSTS_DEPENDENCY_FAILED", message, { cause: answer });
}
