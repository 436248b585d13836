import { createHash } from "node:crypto";

import { cached } from "tenfold/caching";
import type { ServiceClient } from "tenfold/discovery";
import type { Queue } from "tenfold/queueing";
import { errorText, type Runtime } from "tenfold/runtime";
import type { Registry } from "tenfold/telemetry";

import { AppError } from "./app-error.ts";
import { decodePost, encodePost, type Post, type Preview, sortKey } from "./post.ts";
import type { PostInput } from "./post-input.ts";

export interface PostWriterOptions {
  readonly queue: Queue;
  readonly guid: ServiceClient;
  readonly scrap: ServiceClient;
  readonly runtime: Runtime;
  readonly metrics: Registry;
}

export interface WriteRequest {
  readonly userId: bigint;
  readonly input: PostInput;
  /** The caller's own key for this write, unique for the user. */
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
  readonly remainingMs: () => number;
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

/** The preview is worth this much of a writer's time; then the post goes without. */
const previewDeadlineMs = 2_500;
const previewCache = {
  ttlMs: 5 * 60_000,
  entriesMax: 10_000,
  bytesOf: (preview: Preview, url: string): number => JSON.stringify(preview).length + url.length,
};
/** What scrap refuses about the URL itself is the writer's mistake; every other failure is ours. */
const refusals = ["POSTS_URL_REFUSED", "POSTS_PAGE_REFUSED"] as const;

/** guid and preview at the same time, then the queue: accepted means on disk. */
export function createPostWriter(options: PostWriterOptions): PostWriter {
  const { queue, guid, scrap, runtime, metrics } = options;
  const { clock, log } = runtime;
  const withoutPreview = metrics.counter({
    name: "posts_without_preview_total",
    help: "Posts written without the preview of their URL, because scrap failed.",
  });

  const newId = async (signal: AbortSignal): Promise<bigint> => {
    const answer = await guid.request({ method: "GET", path: "/api/v1/guid", signal });
    if (answer.status !== 200) throw unavailable("guid", answer.status);
    return BigInt(answer.json<{ guid: string }>().guid);
  };
  const loadPreview = async (url: string, signal: AbortSignal): Promise<Preview> => {
    const answer = await scrap.request({
      method: "GET",
      path: "/api/v1/scrap",
      query: { url },
      deadlineMs: previewDeadlineMs,
      signal,
    });
    if (answer.status === 200) return answer.json<Preview>();
    const { error } = answer.json<{ error: { code: string; message: string } }>();
    const refused = refusals.find((code) => code === error.code);
    if (refused !== undefined) throw new AppError(refused, error.message);
    throw unavailable("scrap", answer.status);
  };
  const previews = cached<Preview>({ clock, ...previewCache, load: loadPreview });

  const previewOf = async (url: string, signal: AbortSignal): Promise<Preview | undefined> => {
    try {
      return (await previews.get(url, { signal })).value;
    } catch (error) {
      if (error instanceof AppError && error.status === 422) throw error;
      withoutPreview.add(1);
      log.warn("post written without a preview", { url, reason: errorText(error) });
      return undefined;
    }
  };

  return {
    async write({ userId, input, idempotencyKey, signal, remainingMs }) {
      const { contents, url } = input;
      const [id, preview] = await Promise.all([
        newId(signal),
        url === undefined ? undefined : previewOf(url, signal),
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
        { signal, deadlineMs: remainingMs() },
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

function unavailable(service: string, status: number): AppError {
  return new AppError("POSTS_DEPENDENCY_FAILED", `${service} answered ${status}; try again.`);
}
