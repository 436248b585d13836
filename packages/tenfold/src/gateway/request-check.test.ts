import { expect, it } from "vitest";

import { checkRequest } from "./request-check.ts";

function check(url: string, rawHeaders: string[] = ["Host", "a:80"], httpVersion = "1.1") {
  return checkRequest({ method: "GET", url, httpVersion, rawHeaders }, 10);
}

it.each([
  ["/a%2Fb?c=/../d", "/a%2Fb", "/a%2Fb?c=/../d"],
  ["/a..b/...", "/a..b/...", "/a..b/..."],
  ["//evil/x", "//evil/x", "//evil/x"],
  ["http://A:80/x?y", "/x", "/x?y"],
  ["http://a:80", "/", "/"],
  ["http://a:80?x", "/", "/?x"],
])("takes %s as path %s and target %s", (url, path, target) => {
  expect(check(url)).toMatchObject({ ok: true, request: { path, target, host: "a:80" } });
});

it.each([
  "*",
  "a",
  "http://b/x",
  "http://a/x",
  "http://u@a:80/x",
  "https://a:80/x",
  "http://a:80/x#y",
  "/x#y",
  "/a/../b",
  "/a/./b",
  "/..",
  "/a/%2e%2E/b",
  "/a/.%2e",
  "/a\\b",
  "/a%zz",
  "/a%2",
  "/a%00b",
  "/a b",
  "/\u00e4",
  "/a?\u0001",
])("refuses the target %j", (url) => {
  expect(check(url)).toMatchObject({ ok: false, status: 400 });
});

it.each([
  [["Host", "a", "host", "a"], "1.1", 400],
  [["Host", "a", "Transfer-Encoding", "chunked"], "1.0", 400],
  [["Host", "a", "Transfer-Encoding", "gzip, chunked"], "1.1", 501],
  [["Host", "a", "Transfer-Encoding", "chunked", "Content-Length", "1"], "1.1", 400],
  [Array.from({ length: 22 }, () => "x"), "1.1", 431],
] as const)("refuses %j in HTTP/%s with %d", (rawHeaders, httpVersion, status) => {
  expect(check("/", [...rawHeaders], httpVersion)).toMatchObject({ ok: false, status });
});
