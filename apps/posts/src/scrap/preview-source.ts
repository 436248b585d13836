import { type Cached, cached } from "tenfold/caching";
import type { Runtime } from "tenfold/runtime";

import { AppError } from "../app-error.ts";
import { decodeHtml } from "./decode-html.ts";
import { type FetchPageLimits, fetchPage } from "./fetch-page.ts";
import { type Preview, readPreview } from "./open-graph.ts";
import { pageUrl, type UrlRules } from "./page-url.ts";

export interface PreviewSourceOptions {
  readonly rules: UrlRules;
  readonly runtime: Pick<Runtime, "clock" | "network">;
  readonly limits?: Partial<FetchPageLimits>;
}

export const previewSourceDefaults: {
  readonly ttlMs: number;
  readonly negativeTtlMs: number;
  readonly bytesMax: number;
  readonly flightsMax: number;
} = Object.freeze({
  ttlMs: 300_000,
  negativeTtlMs: 30_000,
  bytesMax: 32 * 1024 * 1024,
  /** Each may hold half a mebibyte of page. */
  flightsMax: 100,
});

/** A page that could not be previewed is a result too: it is kept, for a shorter time. */
type Outcome = { readonly preview: Preview } | { readonly error: AppError };

export interface SourcedPreview {
  readonly preview: Preview;
  readonly source: "cache" | "loaded";
  readonly ageMs: number;
}

/** Previews of pages, each page fetched once for all who ask while it is fetched or kept. */
export interface PreviewSource {
  /**
   * @throws POSTS_URL_REFUSED, POSTS_PAGE_REFUSED, POSTS_PAGE_UNAVAILABLE; TENFOLD_ABORTED;
   *   TENFOLD_CACHING_FLIGHTS_EXCEEDED (retryable)
   */
  get(url: string, signal?: AbortSignal): Promise<SourcedPreview>;
}

export function previewSource(options: PreviewSourceOptions): PreviewSource {
  const { rules, runtime } = options;
  const load = async (href: string, signal: AbortSignal): Promise<Outcome> => {
    try {
      const page = await fetchPage(new URL(href), { ...options, signal });
      const preview = readPreview(decodeHtml(page.body, page.charset), page.url);
      if (page.cut && !preview.title && !preview.description) throw endless(page.body.length);
      return { preview };
    } catch (error) {
      if (error instanceof AppError) return { error };
      throw error;
    }
  };
  const outcomes: Cached<Outcome> = cached<Outcome>({
    ...previewSourceDefaults,
    clock: runtime.clock,
    load,
    isNegative: (outcome) => "error" in outcome,
    bytesOf: (outcome, href) => 2 * (JSON.stringify(outcome).length + href.length),
  });
  return {
    async get(url, signal) {
      const { href } = pageUrl(url, rules);
      const { value, ...origin } = await outcomes.get(href, { signal });
      if ("error" in value) throw value.error;
      return { preview: value.preview, ...origin };
    },
  };
}

/** A large page that begins well is fine; one that says nothing of itself for so long is not. */
function endless(bytes: number): AppError {
  const message = `The page has neither title nor description in its first ${bytes} bytes.`;
  return new AppError("POSTS_PAGE_REFUSED", message);
}
