import { createServer } from "node:net";
import { afterEach, expect, it } from "vitest";

import { type DnsServer, startDnsServer } from "../testing/dns-server.ts";
import { type DnsResolver, type DnsResolverOptions, dnsResolver } from "./dns-resolver.ts";
import type { Endpoint } from "./endpoint.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function world(options: Partial<DnsResolverOptions> = {}) {
  const dns = await startDnsServer();
  const resolver = dnsResolver({
    names: "{service}.internal:8080",
    servers: [dns.address],
    ttlMinMs: 100,
    // Also the longest wait between tries.
    ttlMaxMs: 200,
    timeoutMs: 100,
    tries: 1,
    ...options,
  });
  ends.push(() => dns.close(), resolver.close);
  return { dns, resolver };
}

/** The lists of a service as they come, as texts: ids, and weights that are not 1. */
function follow(resolver: DnsResolver, service = "posts") {
  const lists: string[] = [];
  const stop = new AbortController();
  ends.push(() => stop.abort());
  const text = ({ id, weight }: Endpoint): string => (weight === 1 ? id : `${id}*${weight}`);
  void (async () => {
    for await (const list of resolver.watch(service, { signal: stop.signal })) {
      lists.push(list.map(text).join(" "));
    }
  })();
  return {
    lists,
    stop: () => stop.abort(),
    until: (wanted: string) => expect.poll(() => lists.at(-1)).toBe(wanted),
  };
}

function a(...hosts: readonly number[]) {
  return hosts.map((host) => ({ type: "A" as const, address: `10.0.0.${host}`, ttl: 0 }));
}

const questions = (dns: DnsServer) => expect.poll(() => dns.asked.length);

it("follows address records, and falls back to IPv6", async () => {
  const { dns, resolver } = await world();
  dns.set("posts.internal", a(2, 1));
  const posts = follow(resolver);
  await posts.until("10.0.0.1:8080 10.0.0.2:8080");
  dns.set("posts.internal", a(3));
  await posts.until("10.0.0.3:8080");
  dns.set("posts.internal", [{ type: "AAAA", address: "fd00::7", ttl: 0 }]);
  await posts.until("[fd00::7]:8080");
  expect(posts.lists).toHaveLength(3);
});

it("asks no sooner than the time to live says, however many watch, and no more when nobody does", async () => {
  const { dns, resolver } = await world({ ttlMaxMs: 30_000 });
  dns.set("posts.internal", [{ type: "A", address: "10.0.0.1", ttl: 60 }]);
  const all = [follow(resolver), follow(resolver), follow(resolver)];
  for (const each of all) await each.until("10.0.0.1:8080");
  const quick = follow(resolver, "quick");
  dns.set("quick.internal", a(1));
  await quick.until("10.0.0.1:8080");
  await questions(dns).toBeGreaterThan(4);
  expect(dns.asked.filter((question) => question === "A posts.internal")).toHaveLength(1);
  quick.stop();
  const before = dns.asked.length;
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(dns.asked.length - before).toBeLessThanOrEqual(1);
});

it("keeps the last list while servers fail, with its age, and goes on after", async () => {
  const { dns, resolver } = await world();
  dns.set("posts.internal", a(1));
  const posts = follow(resolver);
  await posts.until("10.0.0.1:8080");
  for (const mode of ["servfail", "refused", "silent"] as const) {
    const before = dns.asked.length;
    dns.mode = mode;
    await questions(dns).toBeGreaterThan(before + 2);
    const { ageMs, problem } = resolver.state("posts") ?? {};
    expect(problem).toMatch(/^failed: /);
    expect(ageMs).toBeGreaterThan(0);
  }
  dns.set("posts.internal", a(2));
  dns.mode = "answer";
  await posts.until("10.0.0.2:8080");
  expect(resolver.state("posts")?.problem).toBeUndefined();
  expect(posts.lists).toEqual(["10.0.0.1:8080", "10.0.0.2:8080"]);
});

it("gives a list up when it is too stale, and when it was denied for too long", async () => {
  const stale = await world({ staleMaxMs: 200 });
  stale.dns.set("posts.internal", a(1));
  const posts = follow(stale.resolver);
  await posts.until("10.0.0.1:8080");
  stale.dns.mode = "servfail";
  await posts.until("");

  const denied = await world({ negativeMaxMs: 200 });
  denied.dns.set("posts.internal", a(1));
  const others = follow(denied.resolver);
  await others.until("10.0.0.1:8080");
  denied.dns.remove("posts.internal");
  await others.until("");
  expect(denied.resolver.state("posts")?.problem).toBe("none: ENOTFOUND");
  denied.dns.set("posts.internal", []);
  await expect.poll(() => denied.resolver.state("posts")?.problem).toBe("none: ENODATA");
});

it("keeps a list that is denied for a moment", async () => {
  const { dns, resolver } = await world();
  dns.set("posts.internal", a(1));
  const posts = follow(resolver);
  await posts.until("10.0.0.1:8080");
  const before = dns.asked.length;
  dns.remove("posts.internal");
  await questions(dns).toBeGreaterThan(before + 2);
  dns.set("posts.internal", a(2));
  await posts.until("10.0.0.2:8080");
  expect(posts.lists).not.toContain("");
});

it("says at once that an unknown service has no endpoints, and waits while nobody knows", async () => {
  const { dns, resolver } = await world({ names: { posts: "posts.internal:8080" } });
  await follow(resolver, "nobody").until("");
  dns.mode = "servfail";
  const posts = follow(resolver);
  await questions(dns).toBeGreaterThan(1);
  expect(posts.lists).toEqual([]);
  dns.mode = "answer";
  dns.set("posts.internal", a(1));
  await posts.until("10.0.0.1:8080");
});

function srv(target: string, port: number, priority: number, weight: number) {
  return { type: "SRV" as const, target, port, priority, weight, ttl: 0 };
}

it("honours weights of SRV records, and keeps a target's id when its address changes", async () => {
  const { dns, resolver } = await world({ names: "_http._tcp.{service}.internal" });
  dns.set("one.internal", a(1));
  dns.set("two.internal", a(2));
  const records = [srv("one.internal", 81, 1, 30), srv("two.internal", 82, 1, 10)];
  dns.set("_http._tcp.posts.internal", records);
  const found: Endpoint[][] = [];
  const stop = new AbortController();
  ends.push(() => stop.abort());
  void (async () => {
    for await (const list of resolver.watch("posts", { signal: stop.signal }))
      found.push([...list]);
  })();
  const last = () => found.at(-1)?.map(({ id, address, weight }) => `${id} ${address} ${weight}`);
  await expect.poll(last).toEqual(["one.internal:81 10.0.0.1 30", "two.internal:82 10.0.0.2 10"]);
  dns.set("two.internal", a(9));
  await expect.poll(last).toEqual(["one.internal:81 10.0.0.1 30", "two.internal:82 10.0.0.9 10"]);
});

it("uses the next priority while nobody of the first accepts connections", async () => {
  const { dns, resolver } = await world({ names: "_http._tcp.{service}.internal" });
  const main = await listener();
  const backup = await listener();
  dns.set("main.internal", [{ type: "A", address: "127.0.0.1", ttl: 0 }]);
  dns.set("backup.internal", [{ type: "A", address: "127.0.0.1", ttl: 0 }]);
  dns.set("_http._tcp.posts.internal", [
    srv("backup.internal", backup.port, 20, 0),
    srv("main.internal", main.port, 10, 0),
  ]);
  const posts = follow(resolver);
  await posts.until(`main.internal:${main.port}`);
  await main.close();
  await posts.until(`backup.internal:${backup.port}`);
  await listener(main.port);
  await posts.until(`main.internal:${main.port}`);
});

it("has views: two resolvers with servers of their own see a name each as theirs says", async () => {
  const inside = await world();
  const outside = await world();
  inside.dns.set("posts.internal", a(1));
  outside.dns.set("posts.internal", [{ type: "A", address: "203.0.113.1", ttl: 0 }]);
  await follow(inside.resolver).until("10.0.0.1:8080");
  await follow(outside.resolver).until("203.0.113.1:8080");
});

it("refuses servers that are no addresses, and limits out of range", () => {
  const names = "posts.internal:80";
  expect(() => dnsResolver({ names, servers: ["ns.internal"] })).toThrow(/servers must be/);
  expect(() => dnsResolver({ names, ttlMinMs: 50 })).toThrow(/ttlMinMs/);
  expect(() => dnsResolver({ names, ttlMinMs: 2_000, ttlMaxMs: 1_000 })).toThrow(/ttlMinMs/);
});

async function listener(port = 0): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  ends.push(close);
  return { port: (server.address() as { port: number }).port, close };
}
