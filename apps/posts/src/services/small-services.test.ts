import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryCoordinator } from "tenfold/engines/memory";
import type { RunningService, Service, ServiceContext, ServiceRequest } from "tenfold/fleet";
import { decodeIdBlock, parseId } from "tenfold/identifiers";
import { systemRuntime } from "tenfold/runtime";
import { afterEach, beforeEach, expect, test } from "vitest";

import { service as geoip } from "./geoip.ts";
import { service as guid } from "./guid.ts";
import { service as pages } from "./pages.ts";
import { service as scrap } from "./scrap.ts";

let folder = "";
const closing: (() => Promise<void> | undefined)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tenfold-services-"));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await rm(folder, { recursive: true, force: true });
});

async function start(service: Service, settings: Record<string, unknown> = {}) {
  const coordinator = createMemoryCoordinator();
  closing.push(() => coordinator.close());
  const session = await coordinator.openSession({ ttlMs: 6_000 });
  const instance = { fleet: "test", dataFolder: folder };
  const known = { instance, settings, coordinator, session: () => session };
  const context = { ...known, runtime: systemRuntime } as unknown as ServiceContext;
  const running: RunningService = await service.start(context);
  closing.push(() => running.close?.());
  await expect.poll(async () => await running.notReady?.()).toBeUndefined();
  return { running, session };
}

/** Calls a route as the HTTP service would after it has found it. */
async function call(running: RunningService, route: string, parts: Partial<ServiceRequest> = {}) {
  const handler = running.routes?.[route];
  if (handler === undefined) throw new Error(`no route ${route}`);
  const signal = new AbortController().signal;
  const request = { params: {}, query: new URLSearchParams(), signal, ...parts };
  return await handler(request as ServiceRequest);
}

test("guid answers the same id twice as text, and goes on when its session is over", async () => {
  const { running, session } = await start(guid);
  const get = async () => (await call(running, "GET /api/v1/guid")).body as Record<string, string>;
  const first = await get();
  expect(first.guid).toBe(first.guid_str);
  const second = await get();
  expect(parseId(second.guid)).toBeGreaterThan(parseId(first.guid));
  await session.close();
  expect(parseId((await get()).guid)).toBeGreaterThan(parseId(second.guid));
});

test("guid hands out blocks that repeat neither each other nor single ids", async () => {
  const { running } = await start(guid);
  const route = "GET /api/v1/guid/blocks";
  const ids = new Set<bigint>();
  for (const size of ["1", "10000", "65536"]) {
    const query = new URLSearchParams({ size });
    const runs = decodeIdBlock((await call(running, route, { query })).body);
    for (const { first, count } of runs) {
      for (let step = 0; step < count; step++) ids.add(first + BigInt(step));
    }
  }
  ids.add(parseId(((await call(running, "GET /api/v1/guid")).body as { guid: string }).guid));
  expect(ids.size).toBe(1 + 10_000 + 65_536 + 1);
  for (const query of [
    "",
    "size=0",
    "size=-1",
    "size=1.5",
    "size=65537",
    "size=x",
    "size=1&size=2",
  ]) {
    const asked = call(running, route, { query: new URLSearchParams(query) });
    await expect(asked).rejects.toMatchObject({ code: "POSTS_INPUT_INVALID", status: 400 });
  }
});

test("scrap refuses what it was not asked properly, and urls that lead inside", async () => {
  const { running } = await start(scrap);
  for (const query of ["", "url=", "url=a&url=b", "url=http://127.0.0.1/", "url=http://[::1]/"]) {
    const asked = call(running, "GET /api/v1/scrap", { query: new URLSearchParams(query) });
    await expect(asked).rejects.toMatchObject({ code: "POSTS_URL_REFUSED", status: 422 });
  }
});

test("geoip answers null for what it does not know and 400 for what is no address", async () => {
  const { running } = await start(geoip, { database: "demo" });
  const countryOf = async (ip: string) =>
    (await call(running, "GET /api/v1/geoip/:ip", { params: { ip } })).body;
  expect(await countryOf("192.0.2.1")).toEqual({ ip: "192.0.2.1", country: "KR" });
  expect(await countryOf("::FFFF:192.0.2.200")).toEqual({ ip: "192.0.2.200", country: "US" });
  expect(await countryOf("10.0.0.1")).toEqual({ ip: "10.0.0.1", country: null });
  expect(await countryOf("2001:DB8:1::5")).toEqual({ ip: "2001:db8:1::5", country: "KR" });
  for (const ip of ["", "a", "1.2.3", "127.1", "0x7f000001", "256.1.1.1", "fe80::1%eth0", ":::"]) {
    await expect(countryOf(ip)).rejects.toMatchObject({ code: "POSTS_IP_INVALID", status: 400 });
  }
});

test("pages lists its pages, redirects, and begins the slow one only when its time is up", async () => {
  const { running } = await start(pages);
  expect((await call(running, "GET /")).body).toMatch(/href="\/ko\/euc-kr"/);
  expect(await call(running, "GET /moved")).toMatchObject({ status: 302 });
  const caller = new AbortController();
  const slow = call(running, "GET /slow", { signal: caller.signal });
  caller.abort();
  await expect(slow).rejects.toMatchObject({ code: "TENFOLD_ABORTED" });
});

test.each<[Service, Record<string, unknown>]>([
  [guid, { epoch: 1 }],
  [guid, { epochMs: "2010" }],
  [scrap, { allowHost: [] }],
  [scrap, { allowHosts: ["127.0.0.1"] }],
  [scrap, { allowHosts: "127.0.0.1:1" }],
  [scrap, { ports: [0] }],
  [geoip, {}],
  [geoip, { database: "./relative.mmdb" }],
  [pages, { anything: 1 }],
])("a wrong setting stops the start: %#", async (service, settings) => {
  await expect(start(service, settings)).rejects.toMatchObject({
    code: expect.stringMatching(/^TENFOLD_OPTION_(INVALID|UNKNOWN)$/),
  });
});
