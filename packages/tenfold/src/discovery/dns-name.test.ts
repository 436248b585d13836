import { expect, it } from "vitest";

import { isTenfoldError } from "../runtime/errors.ts";
import { parseDnsName } from "./dns-name.ts";

it.each([
  ["posts.internal:8080", { kind: "addresses", name: "posts.internal", port: 8080 }],
  ["{service}.internal.:80", { kind: "addresses", name: "posts.internal", port: 80 }],
  ["_http._tcp.{service}.internal", { kind: "services", name: "_http._tcp.posts.internal" }],
])("reads %s", (pattern, name) => {
  expect(parseDnsName(pattern, "posts")).toEqual(name);
});

it.each([
  "",
  ":80",
  "posts.internal:0",
  "posts.internal:70000",
  "posts internal:80",
  "posts..internal:80",
  `${"a".repeat(64)}.internal:80`,
  `${"a.".repeat(130)}internal:80`,
  "posts.internal:80:90",
  "{service}/../x:80",
])("refuses %j", (pattern) => {
  try {
    parseDnsName(pattern, "posts");
    expect.unreachable();
  } catch (error) {
    expect(isTenfoldError(error, "TENFOLD_DISCOVERY_ADDRESS_INVALID")).toBe(true);
  }
});
