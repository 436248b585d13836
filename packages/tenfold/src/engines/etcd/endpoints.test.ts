import { expect, test } from "vitest";

import { parseEtcdEndpoints } from "./endpoints.ts";

const origins = (urls: string | readonly string[]): string[] =>
  parseEtcdEndpoints(urls).map((endpoint) => endpoint.origin);

test("one, several, without a port, by IPv6", () => {
  expect(origins("http://127.0.0.1:2379")).toEqual(["http://127.0.0.1:2379"]);
  expect(origins("etcd://a:1,b:2,c")).toEqual(["http://a:1", "http://b:2", "http://c:2379"]);
  expect(origins(["https://a:443", "http://b:80/"])).toEqual(["https://a:443", "http://b:80"]);
  expect(origins("https://a,b:2/")).toEqual(["https://a:2379", "https://b:2"]);
  expect(parseEtcdEndpoints("http://[::1]:7")[0]).toMatchObject({ host: "::1", port: 7 });
});

test.each([
  "",
  "a:2379",
  "redis://a",
  "http://",
  "http://u:p@a:1",
  "http://a:1/x",
  "etcd://",
  "http://a:1,",
  "zookeeper://a:1",
])("%s is refused", (url) => {
  expect(() => parseEtcdEndpoints(url)).toThrow(
    expect.objectContaining({ code: "TENFOLD_COORDINATION_ENDPOINT_INVALID" }),
  );
});

test("a password in a URL is not repeated in the message", () => {
  expect(() => parseEtcdEndpoints("http://u:hunter2@a:1")).toThrow(/^(?!.*hunter2)/);
});
