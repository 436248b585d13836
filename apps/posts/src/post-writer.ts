import { createHash } from "node:crypto";

import { cached } from "tenfold/caching";
import type { ServiceClient, ServiceClientOptions, ServiceReply } from "tenfold/discovery";
import type { Queue } from "tenfold/queueing";
import type { IncomingCall } from "tenfold/resilience";
import { errorText, type Runtime } from "tenfold/runtime";
import type { Registry } from "tenfold/telemetry";

import { AppError } from "./app-error.ts";
import type { PostsSettings } from "./live-settings.ts";
import { decodePost, encodePost, type Post, type Preview, sortKey } from "./post.ts";
import type { PostInput } from "./post-input.ts";

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

/**
 * scrap is not essential: a post goes without a preview rather than late. It is given this much of
 * a writer's time, waits for no instance, and is not asked at all while its circuit is open.
 */
export const scrapClient: Partial<ServiceClientOptions> = {
  holdMs: 0,
  policy: {
    name: "scrap",
    deadlineMs: 2_500,
    breaker: { consecutiveMax: 10, openMs: 1_000, openMsMax: 5_000, rampMs: 1_000 },
  },
};
const previewCache = {
  ttlMs: 5 * 60_000,
  entriesMax: 10_000,
  bytesOf: (preview: Preview, url: string): number => JSON.stringify(preview).length + url.length,
};
/** What scrap refuses about the URL itself is the writer's mistake; every other failure is ours. */
const refusals = ["POSTS_URL_REFUSED", "POSTS_PAGE_REFUSED"] as const;

/** guid and preview at the same time, then the queue: accepted means on disk. */
export function createPostWriter(options: PostWriterOptions): PostWriter {
  const { queue, guid, scrap, runtime, metrics, settings } = options;
  const { clock, log } = runtime;
  const withoutPreview = metrics.counter({
    name: "posts_without_preview_total",
    help: "Posts written without the preview of their URL, because scrap failed.",
    labels: ["reason"],
  });

  const newId = async ({ signal, incoming }: WriteRequest): Promise<bigint> => {
    const answer = await guid.request({ method: "GET", path: "/api/v1/guid", signal, incoming });
    if (answer.status !== 200) throw unavailable("guid", answer);
    return BigInt(answer.json<{ guid: string }>().guid);
  };
  const loadPreview = async (url: string, signal: AbortSignal): Promise<Preview> => {
    const deadlineMs = settings.current["posts.previewDeadlineMs"];
    const call = { method: "GET", path: "/api/v1/scrap", query: { url }, deadlineMs, signal };
    const answer = await scrap.requestOr(call, ({ reason }) => reason);
    if (answer.degraded) throw new WithoutPreview(answer.reason);
    if (answer.value.status === 200) return answer.value.json<Preview>();
    const { error } = answer.value.json<{ error: { code: string; message: string } }>();
    const refused = refusals.find((code) => code === error.code);
    if (refused !== undefined) throw new AppError(refused, error.message);
    throw new WithoutPreview(error.code);
  };
  const previews = cached<Preview>({ clock, ...previewCache, load: loadPreview });

  const previewOf = async (url: string, signal: AbortSignal): Promise<Preview | undefined> => {
    try {
      return (await previews.get(url, { signal })).value;
    } catch (error) {
      if (error instanceof AppError && error.status === 422) throw error;
      const reason = error instanceof WithoutPreview ? error.reason : "failed";
      withoutPreview.with({ reason }).add(1);
      log.warn("post written without a preview", { url, reason, error: errorText(error) });
      return undefined;
    }
  };

  return {
    async write(request) {
      const { userId, input, idempotencyKey, signal, remainingMs } = request;
      const { contents, url } = input;
      const isPreviewed = url !== undefined && settings.current["posts.previews"];
      const [id, preview] = await Promise.all([
        newId(request),
        isPreviewed ? previewOf(url, signal) : undefined,
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

/** Shared by all who wait for the preview of one URL. */
class WithoutPreview extends Error {
  readonly reason: string;

  constructor(reason: string) {
    super(`no preview: ${reason}`);
    this.reason = reason;
  }
}

/** The answer is the cause: it says whether those above may ask again. */
function unavailable(service: string, answer: ServiceReply): AppError {
  const message = `${service} answered ${answer.status}; try again.`;
  return new AppError("POSTS_DEPENDENCY_FAILED", message, { cause: answer });
}
