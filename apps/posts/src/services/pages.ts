import { defineService, type ServiceContext, type ServiceHandler } from "tenfold/fleet";
import { refuseUnknownKeys } from "tenfold/runtime";

import { type Article, articles, redirects } from "../pages/articles.ts";
import { contentTypeOf, renderArticle, renderImage, renderIndex } from "../pages/render-page.ts";

/** A small site to scrape without internet: scripts, charsets, a slow page, redirects. */
export const service = defineService({
  name: "pages",
  start({ runtime, settings }: ServiceContext) {
    refuseUnknownKeys("the pages service's settings", settings, []);
    const routes: Record<string, ServiceHandler> = {
      "GET /": () => text("text/html; charset=utf-8", renderIndex(articles)),
    };
    for (const article of articles) {
      routes[`GET ${article.path}`] = pageHandler(article, (ms, signal) =>
        runtime.clock.sleep(ms, { signal }),
      );
      routes[`GET /images${article.path}`] = () => text("image/svg+xml", renderImage(article.path));
    }
    for (const [from, location] of Object.entries(redirects)) {
      routes[`GET ${from}`] = () => ({ status: 302, headers: { location } });
    }
    return { routes };
  },
});

function pageHandler(
  article: Article,
  sleep: (ms: number, signal: AbortSignal) => Promise<void>,
): ServiceHandler {
  const body = renderArticle(article);
  const headers = { "content-type": contentTypeOf(article) };
  const { delayMs } = article;
  return async ({ signal }) => {
    if (delayMs !== undefined) await sleep(delayMs, signal);
    return { status: 200, headers, body };
  };
}

function text(contentType: string, body: string) {
  return { status: 200, headers: { "content-type": contentType }, body };
}
