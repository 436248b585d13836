import { expect, test } from "vitest";

import { parseId, parseLimit, parsePostInput, postLimits } from "./post-input.ts";

const coded = (code: string) => expect.objectContaining({ code });

test.each([
  "",
  "-1",
  "+1",
  "01",
  "1.0",
  "1e3",
  " 1",
  "9223372036854775808",
  "18446744073709551616",
])("%j is no id", (text) => {
  expect(() => parseId("user", text)).toThrow(coded("POSTS_ID_INVALID"));
});

test("ids go from 0 to 2^63 - 1", () => {
  expect(parseId("user", "0")).toBe(0n);
  expect(parseId("user", "9223372036854775807")).toBe(2n ** 63n - 1n);
});

test.each(["0", "101", "-1", "1.5", "1e2", "", "abc"])("%j is no limit", (text) => {
  expect(() => parseLimit(text)).toThrow(coded("POSTS_INPUT_INVALID"));
});

test.each([
  null,
  [],
  "text",
  {},
  { contents: 3 },
  { contents: " \n" },
  { contents: "a\u0007b" },
  { contents: "\ud800" },
  { contents: "x".repeat(postLimits.contentsCharactersMax + 1) },
  { contents: "x", more: 1 },
  { contents: "x", url: 5 },
  { contents: "x", url: "/relative" },
  { contents: "x", url: "javascript:alert(1)" },
  { contents: "x", url: `http://a.example/${"x".repeat(postLimits.urlCharactersMax)}` },
  { contents: "x", url: `http://a.example/${"한".repeat(500)}` },
])("%j is no post", (body) => {
  expect(() => parsePostInput(body)).toThrow(coded("POSTS_INPUT_INVALID"));
});

test("the longest contents are counted in characters, not in code units", () => {
  const contents = "😀".repeat(postLimits.contentsCharactersMax);
  expect(parsePostInput({ contents, url: null })).toEqual({ contents, url: undefined });
  expect(parsePostInput({ contents: "x", url: "http://a.example" }).url).toBe("http://a.example/");
});
