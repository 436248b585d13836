import { expect, test } from "vitest";

import { defineFleet, durableQueue, shardedPostgres } from "./fleet-definition.ts";
import { planFleet } from "./fleet-plan.ts";
import { plannedPorts } from "./preflight.ts";

const fleet = defineFleet({
  name: "shop",
  gateway: { port: 8080, routes: [{ path: "/items", service: "items" }] },
  console: { port: 8090 },
  services: {
    items: { module: "./items.ts", instances: 2, stores: ["db"], queues: ["jobs"] },
    pages: { module: "./pages.ts", port: 8081 },
    crawler: {
      module: "./crawler.ts",
      settings: ({ addressOf }) => ({ allow: [addressOf("pages")] }),
    },
  },
  stores: { db: shardedPostgres({ shards: 2, standbys: 1 }) },
  queues: { jobs: durableQueue() },
});

test("the same file gives the same plan, and no port is planned twice", () => {
  const plan = planFleet(fleet, { dataFolder: "/data" });
  expect(planFleet(fleet, { dataFolder: "/data" })).toEqual(plan);
  const ports = plan.processes.flatMap(({ port, adminPort }) => [port, adminPort]);
  ports.push(plan.adminPort, ...plan.stores.map(({ portsFrom }) => portsFrom));
  expect(new Set(ports).size).toBe(ports.length);
  expect(plan.processes.map(({ name }) => name)).toEqual([
    "coordinator",
    "queue-jobs",
    "items-1",
    "items-2",
    "pages-1",
    "crawler-1",
    "gateway",
    "console",
  ]);
});

test("fixed ports are kept, and move with the rest when asked", () => {
  const portOf = (name: string, portsFrom?: number) =>
    planFleet(fleet, { dataFolder: "/data", ...(portsFrom ? { portsFrom } : {}) }).processes.find(
      (each) => each.name === name,
    )?.port;
  expect([portOf("gateway"), portOf("console"), portOf("pages-1")]).toEqual([8080, 8090, 8081]);
  const moved = ["gateway", "console", "pages-1"].map((name) => portOf(name, 20_000));
  expect(moved.every((port = 0) => port >= 20_900 && port < 21_000)).toBe(true);
});

test("a settings function is told where things are", () => {
  const plan = planFleet(fleet, { dataFolder: "/data" });
  const crawler = plan.processes.find(({ service }) => service === "crawler");
  expect(crawler?.settings).toEqual({ allow: ["127.0.0.1:8081"] });
});

test("more processes than a host has ports for are refused", () => {
  const services = Object.fromEntries(
    ["a", "b", "c"].map((name) => [name, { module: "./x.ts", instances: 99 }]),
  );
  const big = defineFleet({ name: "big", services });
  expect(() => planFleet(big, { dataFolder: "/data" })).toThrow(/249 processes/);
});

test.each([
  ["the console's", { console: { port: 8080 } }],
  ["a service's", { services: { a: { module: "./a.ts", port: 8080 } } }],
  ["the host's own", { hosts: { local: { portsFrom: 8_000 } } }],
])("a fixed port that is also %s is refused", (_, other) => {
  const twice = defineFleet({
    name: "twice",
    services: { a: { module: "./a.ts" } },
    gateway: { port: 8080, routes: [{ path: "/", service: "a" }] },
    ...other,
  });
  expect(() => planFleet(twice, { dataFolder: "/data" })).toThrow(/port 8080 is given to two/);
  expect(() => planFleet(twice, { dataFolder: "/data", portsFrom: 20_000 })).not.toThrow();
});

test("a settings function that asks for a stranger is refused", () => {
  const lost = defineFleet({
    name: "lost",
    services: { a: { module: "./a.ts", settings: ({ addressOf }) => ({ b: addressOf("b") }) } },
  });
  expect(() => planFleet(lost, { dataFolder: "/data" })).toThrow(/no such service/);
});

test("the console learns who calls whom", () => {
  const plan = planFleet(fleet, { dataFolder: "/data" });
  expect(plan.processes.find(({ kind }) => kind === "console")?.settings.uses).toEqual({
    gateway: ["items"],
    items: ["queue-jobs", "store/db"],
    pages: [],
    crawler: [],
  });
});

test("the ports of database servers are checked with the others before anything starts", () => {
  const ports = plannedPorts(planFleet(fleet, { dataFolder: "/data" }));
  const servers = [...ports.values()].filter((purpose) => purpose.startsWith("pg-"));
  expect(servers).toEqual(["pg-db-0-1", "pg-db-0-2", "pg-db-1-1", "pg-db-1-2"]);
});
