import fc from "fast-check";
import { expect, test } from "vitest";

import { previewLengthMax, readPreview } from "./open-graph.ts";

const page = new URL("https://example.org/a/b.html?q=1");
const read = (head: string) => readPreview(`<html><head>${head}</head><body></body></html>`, page);

test("Open Graph first, addresses resolved, entities decoded", () => {
  const preview = read(`
    <title>not this</title>
    <meta name="description" content="nor this">
    <meta property="og:title" content="Tom &amp; Jerry &#x1F600;">
    <meta property="og:url" content="/canonical">
    <meta property="og:type" content="article">
    <meta property="og:image" content="../c.png">
    <meta property="og:image" content="second.png">
    <meta property="og:description" content="  two
      lines ">
    <meta property="article:author" content="Ada">`);
  expect(preview).toEqual({
    url: "https://example.org/canonical",
    title: "Tom & Jerry 😀",
    type: "article",
    image: "https://example.org/c.png",
    description: "two lines",
    author: "Ada",
  });
});

test("falls back to title, description and author; leaves out what is not there", () => {
  expect(
    read(`<title> Plain &lt;page&gt; </title><meta name=Description content="Words">
      <meta name=author content="">`),
  ).toEqual({ url: page.href, title: "Plain <page>", description: "Words" });
  expect(readPreview("", page)).toEqual({ url: page.href });
  expect(readPreview("\u0000<<<>>><meta", page)).toEqual({ url: page.href });
});

test("reads the head only: what a reader wrote into the body is not the page's word", () => {
  const html = `<title>t</title><body><meta property="og:title" content="planted">`;
  expect(readPreview(html, page).title).toBe("t");
  const closed = `<head></head><svg><title>drawing</title></svg>`;
  expect(readPreview(closed, page).title).toBeUndefined();
});

test("the base of the page counts; addresses other than http are dropped", () => {
  expect(read(`<base href="//cdn.example/x/"><meta property=og:image content=i.png>`).image).toBe(
    "https://cdn.example/x/i.png",
  );
  for (const image of ["javascript:alert(1)", "data:image/png;base64,AA", "http://u:p@h/", "//["]) {
    expect(read(`<meta property="og:image" content="${image}">`).image).toBeUndefined();
  }
});

test("controls, marks that turn text and lone surrogates go; Arabic and emoji stay", () => {
  const title = (content: string) => read(`<meta property="og:title" content="${content}">`).title;
  expect(title("a\u0007b\u009b\u202ec\u2066d")).toBe("abcd");
  expect(title("مرحبا \u200fبالعالم")).toBe("مرحبا \u200fبالعالم");
  expect(title("👩‍👩‍👧")).toBe("👩‍👩‍👧");
  expect(title("x\ud800y")).toBe("x\ufffdy");
});

test("cuts by whole code points: ten kilobytes of emoji", () => {
  const { title = "" } = read(`<title>${"😀".repeat(2_500)}</title>`);
  expect([...title]).toHaveLength(previewLengthMax.title);
  expect(title.isWellFormed()).toBe(true);
});

test("whatever the page, every field is bounded, well formed and free of controls", () => {
  const property = fc.constantFrom("og:title", "og:description", "og:image", "og:url", "author");
  const anything = fc.string({ unit: "binary", maxLength: 3_000 });
  fc.assert(
    fc.property(property, anything, anything, (name, content, around) => {
      const html = `${around}<meta property="${name}" content="${content}">`;
      for (const value of Object.values(readPreview(html, page))) {
        expect(value.length).toBeLessThanOrEqual(2_048);
        expect(value.isWellFormed()).toBe(true);
        expect(/\p{Cc}/u.test(value)).toBe(false);
      }
    }),
  );
});
