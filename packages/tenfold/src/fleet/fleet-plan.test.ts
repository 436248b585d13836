import { expect, test } from "vitest";

import {
  defineFleet,
  durableQueue,
  embedded,
  etcd,
  type Places,
  shardedPostgres,
} from "./fleet-definition.ts";
import { planFleet } from "./fleet-plan.ts";
import { plannedPorts } from "./preflight.ts";

const shop = {
  name: "shop",
  gateway: { port: 8080, routes: [{ path: "/items", service: "items" }] },
  console: { port: 8090 },
  services: {
    items: { module: "./items.ts", instances: 2, stores: ["db"], queues: ["jobs"] },
    pages: { module: "./pages.ts", port: 8081 },
    crawler: {
      module: "./crawler.ts",
      settings: ({ addressOf }: Places) => ({ allow: [addressOf("pages")] }),
    },
  },
  stores: { db: shardedPostgres({ shards: 2, standbys: 1 }) },
  queues: { jobs: durableQueue() },
} as const;
const fleet = defineFleet(shop);

test("the same file gives the same plan, and no port is planned twice", () => {
  const plan = planFleet(fleet, { dataFolder: "/data" });
  expect(planFleet(fleet, { dataFolder: "/data" })).toEqual(plan);
  const ports = plan.processes.flatMap(({ port, adminPort }) => [port, adminPort]);
  const servers = plan.stores.flatMap(({ shards }) => shards.flatMap((shard) => shard.servers));
  ports.push(plan.adminPort, ...servers.map(({ port }) => port));
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
])("a fixed port that is also %s is refused, for a fleet that moves too", (_, other) => {
  const twice = defineFleet({
    name: "twice",
    services: { a: { module: "./a.ts" } },
    gateway: { port: 8080, routes: [{ path: "/", service: "a" }] },
    ...other,
  });
  const refused = expect.objectContaining({
    code: "TENFOLD_FLEET_DEFINITION_INVALID",
    message: expect.stringContaining("port 8080 is given to two"),
  });
  // The processes of a fleet that was moved plan by the file alone.
  for (const moved of [{}, { portsFrom: 20_000 }]) {
    expect(() => planFleet(twice, { dataFolder: "/data", ...moved })).toThrow(refused);
  }
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

const three = defineFleet({
  ...shop,
  hosts: {
    a: { address: "10.0.0.1", zone: "z1" },
    b: { address: "10.0.0.2", zone: "z2" },
    c: { address: "10.0.0.3", zone: "z3", portsFrom: 20_000 },
  },
  coordinator: etcd("etcd://10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379"),
  queues: { jobs: durableQueue({ singlePointOfFailure: true }) },
});
const shareOf = (host: string) => planFleet(three, { dataFolder: `/data/${host}`, host });

test("every host computes the same whole and runs its own part of it", () => {
  const [a, b, c] = [shareOf("a"), shareOf("b"), shareOf("c")];
  expect(b.fleetProcesses).toEqual(a.fleetProcesses);
  expect(c.hosts).toEqual(a.hosts);
  const shares = [a, b, c].flatMap(({ processes }) => processes.map(({ name }) => name));
  expect(shares.toSorted()).toEqual(a.fleetProcesses.map(({ name }) => name).toSorted());
  for (const plan of [a, b, c]) {
    expect(plan.coordinator).toMatch(/^etcd:\/\/10\.0\.0\.1:2379,/);
    expect(new Set(plan.processes.map(({ address }) => address))).toEqual(new Set([plan.address]));
    const purposes = [...plannedPorts(plan).values()];
    expect(purposes).toHaveLength(1 + 2 * plan.processes.length + serversOn(plan));
    expect(purposes).toContain(`gateway-${plan.host}`);
    expect(purposes).not.toContain("coordinator");
  }
  expect(c.processes.every(({ adminPort }) => adminPort >= 20_000)).toBe(true);
});

const serversOn = (plan: ReturnType<typeof planFleet>): number =>
  plan.stores.flatMap(({ hosts }) => [...hosts.values()]).filter((host) => host === plan.host)
    .length;

test("a shard's primary and its standby are on different hosts, wherever one asks", () => {
  const [{ shards, hosts } = { shards: [], hosts: new Map() }] = shareOf("b").stores;
  const where = shards.map(({ servers }) => servers.map(({ name }) => hosts.get(name)));
  expect(where).toEqual([
    ["a", "b"],
    ["c", "a"],
  ]);
  const addresses = shards.flatMap(({ servers }) => servers.map(({ address }) => address));
  expect(addresses).toEqual(["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.1"]);
});

test("a setting is the same on every host, a hint names the nearest", () => {
  const hinted = defineFleet({ ...three, hints: ({ addressOf }) => [addressOf("gateway")] });
  const hints = (host: string) => planFleet(hinted, { dataFolder: "/data", host }).hints;
  expect([hints("a"), hints("c")]).toEqual([["10.0.0.1:8080"], ["10.0.0.3:8080"]]);
});

test("several hosts cannot share an embedded coordinator, whatever its name", () => {
  const own = { ...three, coordinator: embedded() };
  const options = { dataFolder: "/data", host: "a" };
  expect(() => planFleet(own, options)).toThrow(
    expect.objectContaining({ code: "TENFOLD_FLEET_SINGLE_POINT" }),
  );
  const overridden = planFleet(own, { ...options, coordinator: "etcd://e:1" });
  expect(overridden).toMatchObject({ coordinator: "etcd://e:1", coordinatorAccess: {} });
});

test("a host that the file does not have is refused by name", () => {
  expect(() => shareOf("d")).toThrow(/no host "d"; it has a, b, c/);
});

test("the command line's coordinator takes the embedded one's place", () => {
  const plan = planFleet(fleet, { dataFolder: "/data", coordinator: "etcd://e:2379" });
  expect(plan.processes.map(({ kind }) => kind)).not.toContain("coordinator");
  expect(plan.coordinator).toBe("etcd://e:2379");
});
