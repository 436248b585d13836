import type { Server } from "node:http";
import { connect } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";

import { systemClock } from "../runtime/clock.ts";
import { createAdminApi } from "./admin-api.ts";
import { createEventLog } from "./event-log.ts";

const token = "the-token-of-this-test";
let server: Server;
let port: number;
let killed: string[];

beforeEach(async () => {
  killed = [];
  const actions = {
    status: () => ({ fleet: "shop", host: "a", zone: "z", pid: 1, hosts: [], instances: [] }),
    kill: (instance: string) => void killed.push(instance),
    restart: async () => [],
  };
  const ofFleet = { ...actions, kill: (name: string) => void killed.push(`${name}, anywhere`) };
  const events = createEventLog("/nonexistent/events.jsonl", systemClock, () => {});
  const actionsOf = { ofHost: actions, ofFleet, stopSoon: () => {} };
  server = await createAdminApi({ host: "127.0.0.1", port: 0, token, events, ...actionsOf });
  const address = server.address();
  port = typeof address === "object" && address !== null ? address.port : 0;
});
afterEach(() => {
  server.close();
  server.closeAllConnections();
});

async function post(body: string, type = "application/json"): Promise<[number, string]> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/kill?scope=host`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": type },
    body,
  });
  const { error } = (await response.json()) as { error?: { code: string } };
  return [response.status, error?.code ?? ""];
}

test("bodies that say nothing usable are refused, each for its own reason", async () => {
  expect(await post('{"instance":"posts-1"}')).toEqual([200, ""]);
  expect(await post("garbage")).toEqual([400, "TENFOLD_FLEET_REQUEST_INVALID"]);
  expect(await post("{}")).toEqual([400, "TENFOLD_FLEET_REQUEST_INVALID"]);
  expect(await post('{"instance":["posts-1"]}')).toEqual([400, "TENFOLD_FLEET_REQUEST_INVALID"]);
  expect(await post("[]")).toEqual([400, "TENFOLD_FLEET_REQUEST_INVALID"]);
  expect(await post('{"instance":"posts-1","signal":"SIGUSR1"}')).toEqual([
    400,
    "TENFOLD_OPTION_INVALID",
  ]);
  expect(await post(`{"instance":"${"x".repeat(100_000)}"}`)).toEqual([
    400,
    "TENFOLD_FLEET_BODY_TOO_LARGE",
  ]);
  expect(await post("{}", "text/plain")).toEqual([400, "TENFOLD_FLEET_CONTENT_TYPE_UNSUPPORTED"]);
  expect(killed).toEqual(["posts-1"]);
});

test("a request target that is no URL is not found", async () => {
  const socket = connect(port, "127.0.0.1");
  socket.end(
    `GET // HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\n` +
      "connection: close\r\n\r\n",
  );
  let answer = "";
  for await (const chunk of socket) answer += chunk;
  expect(answer).toMatch(/^HTTP\/1.1 404 /);
});

test("without the token nothing is done", async () => {
  const response = await fetch(`http://127.0.0.1:${port}/v1/stop`, { method: "POST" });
  expect(response.status).toBe(401);
});

test("what is asked without a scope is asked of the whole fleet", async () => {
  const response = await fetch(`http://127.0.0.1:${port}/v1/kill`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: '{"instance":"posts-1"}',
  });
  expect(response.status).toBe(200);
  expect(killed).toEqual(["posts-1, anywhere"]);
});
