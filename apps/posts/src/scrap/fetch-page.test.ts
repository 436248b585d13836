import { type Network, systemNetwork, systemRuntime } from "tenfold/runtime";
import { expect, test } from "vitest";

import { fetchPage } from "./fetch-page.ts";
import { pageUrl, urlRulesDefaults } from "./page-url.ts";

/** A resolver with these names only; addresses resolve to themselves, as the system's do. */
function networkOf(names: Record<string, readonly string[]>): Network & { asked: string[] } {
  const asked: string[] = [];
  return {
    ...systemNetwork,
    asked,
    lookup(host) {
      asked.push(host);
      const addresses = names[host] ?? (/^[0-9.]+$|:/.test(host) ? [host] : undefined);
      if (addresses === undefined) return Promise.reject(new Error("no such name"));
      const family = (address: string) => (address.includes(":") ? 6 : 4);
      return Promise.resolve(addresses.map((address) => ({ address, family: family(address) })));
    },
  };
}

const fetchText = async (text: string, network: Network = networkOf({})) =>
  await fetchPage(pageUrl(text, urlRulesDefaults), {
    rules: urlRulesDefaults,
    runtime: { ...systemRuntime, network },
  });
const refused = { code: "POSTS_URL_REFUSED", status: 422 };

test.each([
  ["", "nothing"],
  ["not a url", "no URL"],
  ["//example.org/", "no scheme"],
  ["ftp://example.org/", "another scheme"],
  ["file:///etc/passwd", "a file"],
  ["javascript:alert(1)", "a script"],
  ["gopher://127.0.0.1:6379/_FLUSHALL", "gopher"],
  ["http://user:secret@example.org/", "a password"],
  ["http://example.org:22/", "another port"],
  ["http://example.org:99999/", "no port"],
  ["http://127.0.0.1/", "loopback"],
  ["http://127.1/", "loopback, short"],
  ["http://2130706433/", "loopback, decimal"],
  ["http://0x7f000001/", "loopback, hexadecimal"],
  ["http://0x7f.0.0.1/", "loopback, hexadecimal part"],
  ["http://0177.0.0.1/", "loopback, octal"],
  ["http://%31%32%37.0.0.1/", "loopback, percent-encoded"],
  ["http://①②⑦.0.0.1/", "loopback, circled digits"],
  ["http://0/", "unspecified"],
  ["http://169.254.169.254/latest/meta-data/", "link-local"],
  ["http://10.0.0.1/", "private"],
  ["http://192.168.0.1/", "private"],
  ["http://100.64.0.1/", "carrier NAT"],
  ["http://[::1]/", "loopback, IPv6"],
  ["http://[::]/", "unspecified, IPv6"],
  ["http://[::ffff:127.0.0.1]/", "IPv4-mapped"],
  ["http://[::ffff:7f00:1]/", "IPv4-mapped, hexadecimal"],
  ["http://[::127.0.0.1]/", "IPv4-compatible"],
  ["http://[64:ff9b::7f00:1]/", "NAT64"],
  ["http://[2002:7f00:1::]/", "6to4"],
  ["http://[fe80::1]/", "link-local, IPv6"],
  ["http://[fd00::1]/", "unique local"],
  [`http://example.org/${"a".repeat(2_048)}`, "too long"],
  [`http://example.org/${"é".repeat(700)}`, "too long once encoded"],
])("refuses %s (%s)", async (text) => {
  await expect(fetchText(text)).rejects.toMatchObject(refused);
});

test("refuses a name if any one of its addresses is not public", async () => {
  const network = networkOf({
    "mixed.test": ["93.184.216.34", "127.0.0.1"],
    "mapped.test": ["::ffff:10.0.0.1"],
    "localhost.": ["127.0.0.1"],
    "many.test": Array(33).fill("93.184.216.34"),
  });
  for (const host of ["mixed.test", "mapped.test", "localhost.", "many.test"]) {
    await expect(fetchText(`http://${host}/`, network)).rejects.toMatchObject(refused);
  }
  expect(network.asked).toEqual(["mixed.test", "mapped.test", "localhost.", "many.test"]);
});

test("a name that does not resolve is a page that is not available", async () => {
  const unavailable = { code: "POSTS_PAGE_UNAVAILABLE", status: 422 };
  await expect(fetchText("http://nowhere.test/")).rejects.toMatchObject(unavailable);
  const empty = networkOf({ "empty.test": [] });
  await expect(fetchText("http://empty.test/", empty)).rejects.toMatchObject(unavailable);
});

test("a resolver that never answers is given up with the caller, and at the deadline", async () => {
  const network = { ...systemNetwork, lookup: () => new Promise<never>(() => {}) };
  const runtime = { ...systemRuntime, network };
  const url = new URL("http://slow.test/");
  const limits = { totalMs: 20 };
  await expect(fetchPage(url, { rules: urlRulesDefaults, runtime, limits })).rejects.toMatchObject({
    code: "POSTS_PAGE_UNAVAILABLE",
  });
  const caller = new AbortController();
  const left = fetchPage(url, { rules: urlRulesDefaults, runtime, signal: caller.signal });
  caller.abort();
  await expect(left).rejects.toMatchObject({ code: "TENFOLD_ABORTED" });
});

test("one URL has one canonical form, without fragment; an allowed host is exact", () => {
  const rules = { ports: [80], allowHosts: ["127.0.0.1:18500"] };
  expect(pageUrl("HTTP://127.1:18500/a/../b?c#d", rules).href).toBe("http://127.0.0.1:18500/b?c");
  for (const other of ["http://127.0.0.1:18501/", "http://127.0.0.2:18500/", "http://a:18500/"]) {
    expect(() => pageUrl(other, rules)).toThrow(expect.objectContaining(refused));
  }
});
