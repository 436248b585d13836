import { expect, test } from "vitest";

import { decodeHtml } from "../scrap/decode-html.ts";
import { readPreview } from "../scrap/open-graph.ts";
import { articles } from "./articles.ts";
import { encodeText } from "./encode-text.ts";
import { contentTypeOf, renderArticle, renderImage, renderIndex } from "./render-page.ts";

test.each([
  ["euc-kr", "한글 가나다 ABC"],
  ["shift_jis", "日本語 カナ ｱ ABC"],
  ["windows-1252", "été — 3 € « œ » ’"],
] as const)("%s is written as TextDecoder reads it", (charset, text) => {
  const bytes = encodeText(text, charset);
  expect(new TextDecoder(charset, { fatal: true }).decode(bytes)).toBe(text);
  expect(() => encodeText("\u{1f600}", charset)).toThrow(RangeError);
});

test("known bytes: 한 in EUC-KR, 日 in Shift_JIS, € in windows-1252", () => {
  expect([...encodeText("한", "euc-kr")]).toEqual([0xc7, 0xd1]);
  expect([...encodeText("日", "shift_jis")]).toEqual([0x93, 0xfa]);
  expect([...encodeText("€", "windows-1252")]).toEqual([0x80]);
});

test.each(articles)("the preview of $path says what the page says", (article) => {
  const charset = /charset=(\S+)/.exec(contentTypeOf(article))?.[1];
  const page = new URL(`http://127.0.0.1:8081${article.path}`);
  const preview = readPreview(decodeHtml(renderArticle(article), charset), page);
  const { author, description, openGraph = true, title } = article;
  expect(preview).toEqual({
    url: page.href,
    title,
    description,
    ...(openGraph ? { type: "article", image: `http://127.0.0.1:8081/images${article.path}` } : {}),
    ...(author === undefined ? {} : { author }),
  });
});

test("the list links to every page, and pictures are whole", () => {
  const index = renderIndex(articles);
  for (const { path } of articles) expect(index).toContain(`href="${path}"`);
  expect(renderImage("/x")).toMatch(/^<svg .*<\/svg>\n$/s);
});
