import { nearCache, singleFlight } from "tenfold/caching";
import type { ServiceClient, ServiceClientOptions } from "tenfold/discovery";
import type { IncomingCall } from "tenfold/resilience";
import { errorText, type Runtime } from "tenfold/runtime";
import type { Registry } from "tenfold/telemetry";

import { AppError } from "./app-error.ts";
import type { PostsSettings } from "./live-settings.ts";
import type { Preview } from "./post.ts";

export interface PostPreviewsOptions {
  readonly scrap: ServiceClient;
  readonly runtime: Runtime;
  readonly metrics: Registry;
  readonly settings: PostsSettings;
}

/** Who writes the post, for whom a preview is loaded. */
export interface PreviewRequest {
  readonly signal: AbortSignal;
  readonly incoming: IncomingCall;
}

/**
 * The preview of a URL; undefined when it cannot be had in time.
 * @throws POSTS_URL_REFUSED, POSTS_PAGE_REFUSED
 */
export type PostPreviews = (url: string, request: PreviewRequest) => Promise<Preview | undefined>;

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

/** Previews by scrap, one load a URL at a time. */
export function postPreviews(options: PostPreviewsOptions): PostPreviews {
  const { scrap, runtime, metrics, settings } = options;
  const { clock, log } = runtime;
  const withoutPreview = metrics.counter({
    name: "posts_without_preview_total",
    help: "Posts written without the preview of their URL, because scrap failed.",
    labels: ["reason"],
  });

  const loadPreview = async (
    url: string,
    signal: AbortSignal,
    incoming: IncomingCall,
  ): Promise<Preview> => {
    const deadlineMs = settings.current["posts.previewDeadlineMs"];
    const about = { deadlineMs, signal, incoming };
    const call = { method: "GET", path: "/api/v1/scrap", query: { url }, ...about };
    const answer = await scrap.requestOr(call, ({ reason }) => reason);
    if (answer.degraded) throw new WithoutPreview(answer.reason);
    if (answer.value.status === 200) return answer.value.json<Preview>();
    const { error } = answer.value.json<{ error: { code: string; message: string } }>();
    const refused = refusals.find((code) => code === error.code);
    if (refused !== undefined) throw new AppError(refused, error.message);
    throw new WithoutPreview(error.code);
  };
  const previews = nearCache<Preview>({ clock, ...previewCache });
  const loads = singleFlight<Preview>();

  return async (url, { signal, incoming }) => {
    const known = previews.get(url);
    if (known !== undefined) return known.value;
    // Others may join, so the deadline of the first is not the load's: each leaves at its own.
    const ofAll = { ...incoming, remainingMs: undefined };
    const load = async (own: AbortSignal): Promise<Preview> => {
      const preview = await loadPreview(url, own, ofAll);
      previews.set(url, preview);
      return preview;
    };
    try {
      return await loads.run(url, load, { signal });
    } catch (error) {
      if (error instanceof AppError && error.status === 422) throw error;
      const reason = error instanceof WithoutPreview ? error.reason : "failed";
      withoutPreview.with({ reason }).add(1);
      log.warn("post written without a preview", { url, reason, error: errorText(error) });
      return undefined;
    }
  };
}

/** Shared by all who wait for the preview of one URL. */
class WithoutPreview extends Error {
  readonly reason: string;

  constructor(reason: string) {
    super(`no preview: ${reason}`);
    this.reason = reason;
  }
}
