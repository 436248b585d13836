import { expect, it } from "vitest";

import { requestHeaders, requestTarget, sentBody } from "./request-parts.ts";

it("makes a target of path and query", () => {
  expect(requestTarget("/a%2Fb/", undefined)).toBe("/a%2Fb/");
  expect(requestTarget("/", { a: undefined })).toBe("/");
  expect(requestTarget("/x", { a: 1n, b: "ü &", c: undefined })).toBe("/x?a=1&b=%C3%BC+%26");
});

it.each(["", "a", "http://x/", "/a b", "/a?b", "/a#b", "/ä", "/a\r\nb"])("refuses %j", (path) => {
  expect(() => requestTarget(path, undefined)).toThrow(/path/);
});

it("keeps the transport's headers to itself, and names what HTTP does not allow", () => {
  expect(requestHeaders({ "X-A": "1" }, sentBody({ a: 1 }))).toEqual([
    "x-a",
    "1",
    "content-type",
    "application/json",
  ]);
  const typed = { "Content-Type": "application/x" };
  expect(requestHeaders(typed, sentBody("text"))).toEqual(["content-type", "application/x"]);
  const refused = [{ Host: "a" }, { "content-length": "1" }, { "x y": "1" }, { x: "a\r\nb: c" }];
  for (const headers of refused) {
    expect(() => requestHeaders(headers as never, undefined)).toThrow(/headers/);
  }
});

it("sends bytes as they are, text as text and objects as JSON", () => {
  expect(sentBody(undefined)).toBeUndefined();
  expect(sentBody(Uint8Array.of(1))).toEqual({ bytes: Uint8Array.of(1), contentType: undefined });
  expect(String(sentBody({ id: 1n })?.bytes)).toBe('{"id":"1"}');
});
