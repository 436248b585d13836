import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { coordinatorResolver } from "../discovery/coordinator-resolver.ts";
import { createServiceClient } from "../discovery/service-client.ts";
import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { memoryStore } from "../engines/memory/store.ts";
import { systemRuntime } from "../runtime/runtime.ts";
import { startChildServer } from "../testing/child-server.ts";
import { parseInstanceEnvironment } from "./instance-environment.ts";
import { registryService } from "./registry-service.ts";
import { ServiceHost } from "./service-host.ts";

const token = "of-the-registry-test";
const store = memoryStore();
const folder = mkdtempSync(join(tmpdir(), "tenfold-registry-"));
let host: ServiceHost;
let port = 0;

beforeAll(async () => {
  process.env.REGISTRY_TEST_TOKEN = token;
  const variables = {
    TENFOLD_FLEET: "f",
    TENFOLD_DATA: folder,
    TENFOLD_TOKEN: "env:REGISTRY_TEST_TOKEN",
  };
  host = new ServiceHost({
    service: registryService,
    environment: parseInstanceEnvironment(variables, { service: "registry", pid: 1 }),
    runtime: systemRuntime,
    connectCoordinator: () => createMemoryCoordinator({ store }),
  });
  ({ port } = await host.start());
});

afterAll(async () => {
  await host.stop();
  rmSync(folder, { recursive: true });
  delete process.env.REGISTRY_TEST_TOKEN;
});

interface Answer {
  readonly status: number;
  readonly body: { readonly error?: { readonly code: string } } & Record<string, unknown>;
}

interface Asked {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

async function open(method: string, path: string, asked: Asked = {}): Promise<IncomingMessage> {
  const authorization = `Bearer ${token}`;
  const headers = { authorization, "content-type": "application/json", ...asked.headers };
  const sent = request({ port, host: "127.0.0.1", method, path: `/v1/services${path}`, headers });
  sent.end(asked.body === undefined ? undefined : JSON.stringify(asked.body));
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  return response;
}

async function ask(method: string, path: string, asked: Asked = {}): Promise<Answer> {
  const response = await open(method, path, asked);
  const text = (await response.setEncoding("utf8").toArray()).join("");
  return { status: response.statusCode ?? 0, body: text === "" ? {} : JSON.parse(text) };
}

const place = { address: "127.0.0.1", port: 1, ttlMs: 600_000 };
const shortly = { ...place, ttlMs: 2_000 };

it("registers, lists, keeps by heartbeats, and forgets", async () => {
  const made = await ask("PUT", "/billing/b-1", { body: { ...shortly, weight: 2 } });
  expect(made).toMatchObject({ status: 201, body: { ttlMs: 2_000, heartbeatEveryMs: 666 } });
  expect(await ask("PUT", "/billing/b-1", { body: shortly })).toMatchObject({ status: 200 });
  expect(await ask("GET", "/billing")).toMatchObject({
    status: 200,
    body: { service: "billing", members: [{ id: "b-1", weight: 1, port: 1 }] },
  });
  expect((await ask("GET", "")).body.services).toHaveProperty("billing");
  expect(await ask("GET", "/nobody")).toMatchObject({ status: 200, body: { members: [] } });
  const began = performance.now();
  while (performance.now() - began < 2_500) {
    expect((await ask("POST", "/billing/b-1/heartbeat")).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  await expect.poll(async () => (await ask("GET", "/billing")).body.members).toEqual([]);
  const late = await ask("POST", "/billing/b-1/heartbeat");
  expect(late).toMatchObject({
    status: 404,
    body: { error: { code: "TENFOLD_DISCOVERY_NOT_REGISTERED" } },
  });
  expect((await ask("DELETE", "/billing/b-1")).status).toBe(204);
});

it("makes a service callable by every client of the fleet", async () => {
  const server = await startChildServer({ name: "python" });
  const coordinator = createMemoryCoordinator({ store });
  const resolver = coordinatorResolver(coordinator, { fleet: "f" });
  const client = createServiceClient("ledger", { resolver });
  try {
    const body = { ...place, port: server.port };
    expect((await ask("PUT", "/ledger/l-1", { body })).status).toBe(201);
    const reply = await client.request({ method: "GET", path: "/hello" });
    expect(reply.json()).toMatchObject({ name: "python" });
    // Another protocol is none of an HTTP client's.
    const grpc = { ...place, protocol: "grpc" };
    expect((await ask("PUT", "/ledger/l-2", { body: grpc })).status).toBe(201);
    for (let call = 0; call < 6; call++) {
      const { status } = await client.request({ method: "GET", path: "/" });
      expect(status).toBe(200);
    }
  } finally {
    await client.close();
    resolver.close();
    await server.stop();
  }
});

describe("who may use it", () => {
  it.each([
    [{ authorization: "Bearer other" }, 401, "TENFOLD_FLEET_TOKEN_REFUSED"],
    [{ authorization: "" }, 401, "TENFOLD_FLEET_TOKEN_REFUSED"],
    [{ host: "evil.example" }, 403, "TENFOLD_FLEET_HOST_REFUSED"],
    [{ origin: "http://evil.example" }, 403, "TENFOLD_FLEET_ORIGIN_REFUSED"],
    [{ "sec-fetch-site": "cross-site" }, 403, "TENFOLD_FLEET_ORIGIN_REFUSED"],
  ])("refuses %j", async (headers, status, code) => {
    for (const [method, path] of [
      ["PUT", "/x/x-1"],
      ["POST", "/x/x-1/heartbeat"],
      ["DELETE", "/x/x-1"],
    ] as const) {
      const answer = await ask(method, path, {
        headers,
        ...(method === "PUT" && { body: place }),
      });
      expect(answer).toMatchObject({ status, body: { error: { code } } });
    }
    if (!("sec-fetch-site" in headers)) {
      for (const path of ["", "/x", "/x/watch"]) {
        expect((await ask("GET", path, { headers })).status).toBe(status);
      }
    }
    expect((await ask("GET", "/x")).body.members).toEqual([]);
  });
});

it.each([
  ["/x/x-1", { ...place, port: 0 }, 400, "TENFOLD_DISCOVERY_MEMBER_INVALID"],
  ["/x/x-1", { ...place, more: 1 }, 400, "TENFOLD_DISCOVERY_MEMBER_INVALID"],
  ["/x/-", place, 400, "TENFOLD_DISCOVERY_MEMBER_INVALID"],
  ["/%2e%2e/x-1", place, 400, "TENFOLD_DISCOVERY_MEMBER_INVALID"],
  ["/x/x%2f1", place, 400, "TENFOLD_DISCOVERY_MEMBER_INVALID"],
  ["/registry/registry-1", place, 409, "TENFOLD_DISCOVERY_NAME_TAKEN"],
  ["/x/x-1", { ...place, zone: "z".repeat(5_000) }, 413, "TENFOLD_FLEET_BODY_TOO_LARGE"],
])("refuses PUT %s %j", async (path, body, status, code) => {
  expect(await ask("PUT", path, { body })).toMatchObject({ status, body: { error: { code } } });
});

/** The events of a watch as they come. */
async function watch(path: string, headers: Readonly<Record<string, string>> = {}) {
  const response = await open("GET", path, { headers });
  expect(response.headers["content-type"]).toBe("text/event-stream");
  let text = "";
  response.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  response.on("error", () => {});
  return {
    response,
    ids: () => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id as string),
    lists: () =>
      [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) =>
        JSON.parse(data as string).members.map(({ id }: { id: string }) => id),
      ),
    text: () => text,
    end: () => response.destroy(),
  };
}

it("tells watchers the list, every change of it, and nothing twice after a reconnect", async () => {
  const first = await watch("/mail/watch");
  await expect.poll(first.lists).toEqual([[]]);
  await ask("PUT", "/mail/m-1", { body: place });
  await ask("PUT", "/mail/m-2", { body: { ...place, port: 2 } });
  await expect.poll(first.lists).toEqual([[], ["m-1"], ["m-1", "m-2"]]);
  const last = first.ids().at(-1) as string;
  first.end();
  const second = await watch("/mail/watch", { "last-event-id": last });
  await expect.poll(second.text).toContain(": nothing has changed");
  await ask("DELETE", "/mail/m-1");
  await expect.poll(second.lists).toEqual([["m-2"]]);
  await ask("DELETE", "/mail/m-2");
  second.end();
});

it("refuses more watches than it can bear, and takes new ones when some end", async () => {
  const all = await Promise.all(Array.from({ length: 256 }, () => watch("/busy/watch")));
  await expect.poll(async () => (await ask("GET", "/busy/watch")).status).toBe(503);
  for (const each of all) each.end();
  await expect.poll(async () => (await open("GET", "/busy/watch")).statusCode).toBe(200);
});
