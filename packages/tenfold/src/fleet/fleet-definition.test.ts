import { expect, test } from "vitest";

import { isTenfoldError } from "../runtime/errors.ts";
import {
  defineFleet,
  durableQueue,
  embedded,
  etcd,
  type FleetDefinition,
  shardedPostgres,
} from "./fleet-definition.ts";

const good = {
  name: "shop",
  hosts: { a: { address: "127.0.0.1" } },
  coordinator: embedded(),
  gateway: { port: 8080, routes: [{ path: "/items", service: "items" as const }] },
  console: { port: 8090 },
  services: { items: { module: "./items.ts", stores: ["db" as const], queues: ["jobs" as const] } },
  stores: { db: shardedPostgres({ shards: 2, standbys: 1 }) },
  queues: { jobs: durableQueue() },
};

test("a whole fleet file is taken as it is", () => {
  expect(defineFleet(good)).toBe(good);
});

const bad: [string, object, RegExp][] = [
  ["an unknown key", { ...good, servces: {} }, /servces/],
  ["a bad name", { ...good, name: "My Shop" }, /name.*"My Shop"/],
  ["no services", { ...good, services: {}, gateway: undefined }, /at least one service/],
  [
    "an unknown service key",
    { ...good, services: { items: { ...good.services.items, instance: 3 } } },
    /instance"/,
  ],
  [
    "too many instances",
    { ...good, services: { items: { module: "./a.ts", instances: 100 } } },
    /1 to 99.*100/,
  ],
  [
    "half an instance",
    { ...good, services: { items: { module: "./a.ts", instances: 1.5 } } },
    /1\.5/,
  ],
  [
    "a port for several",
    { ...good, services: { items: { module: "./a.ts", instances: 2, port: 9000 } } },
    /fixed port/,
  ],
  ["a module that is none", { ...good, services: { items: { module: "items" } } }, /items\.module/],
  [
    "a reserved name",
    { ...good, services: { gateway: { module: "./a.ts" } }, gateway: undefined },
    /does not use itself/,
  ],
  [
    "a route to nowhere",
    { ...good, gateway: { port: 1, routes: [{ path: "/", service: "x" }] } },
    /routes\[0\]\.service.*"x"/,
  ],
  [
    "a route without slash",
    { ...good, gateway: { port: 1, routes: [{ path: "x", service: "items" }] } },
    /slash/,
  ],
  [
    "a route twice",
    { ...good, gateway: { port: 1, routes: [good.gateway.routes[0], good.gateway.routes[0]] } },
    /of its own/,
  ],
  ["an unknown store", { ...good, stores: {} }, /items\.stores/],
  ["an unknown queue", { ...good, queues: {} }, /items\.queues/],
  ["a port out of range", { ...good, console: { port: 70_000 } }, /console\.port.*70000/],
  [
    "an address that is none",
    { ...good, hosts: { a: { address: "localhost" } } },
    /IPv4.*localhost/,
  ],
  ["no host", { ...good, hosts: {} }, /1 to 100 hosts/],
  ["an address twice", { ...good, hosts: { a: {}, b: {} } }, /hosts\.b\.address.*its own/],
  [
    "a host that is not there",
    { ...good, services: { items: { ...good.services.items, hosts: ["b"] } } },
    /items\.hosts must be one of: a; got "b"/,
  ],
  ["an empty list of hosts", { ...good, console: { port: 1, hosts: [] } }, /at least one host/],
  [
    "another spread",
    { ...good, services: { items: { ...good.services.items, spread: "rack" } } },
    /items\.spread must be zone or host; got "rack"/,
  ],
  ["an etcd that is no URL", { ...good, coordinator: etcd("consul://c") }, /Endpoints look like/],
  [
    "an unknown access",
    { ...good, coordinator: { kind: "etcd", url: "etcd://c", access: { passwd: "env:P" } } },
    /has no "passwd"/,
  ],
  [
    "a user without a password",
    { ...good, coordinator: etcd("etcd://c", { user: "shop" }) },
    /both, user and password/,
  ],
  [
    "another coordinator",
    { ...good, coordinator: { kind: "consul" } },
    /coordinator\.kind.*consul/,
  ],
  ["slots below shards", { ...good, stores: { db: { ...good.stores.db, slots: 1 } } }, /slots/],
  ["hints that are no function", { ...good, hints: ["ls"] }, /hints/],
  [
    "reads from standbys",
    { ...good, stores: { db: { ...good.stores.db, readFrom: "any" } } },
    /readFrom.*any/,
  ],
];

test.each(bad)("%s is refused by name", (_, fleet, message) => {
  let thrown: unknown;
  try {
    defineFleet(fleet as FleetDefinition);
  } catch (error) {
    thrown = error;
  }
  expect(isTenfoldError(thrown, "TENFOLD_FLEET_DEFINITION_INVALID")).toBe(true);
  expect((thrown as Error).message).toMatch(message);
});

test("a URL with a password in the fleet file is refused without repeating it", () => {
  const urls = ["postgres://me:hunter2@db/x"];
  const stores = { db: shardedPostgres({ urls }) };
  expect(() => defineFleet({ ...good, stores })).toThrow(/urls\[0\] must be a reference/);
  expect(() => defineFleet({ ...good, stores })).not.toThrow(/hunter2/);
});

test("a password of etcd in the fleet file is refused without repeating it", () => {
  const coordinator = etcd("etcd://c", { user: "shop", password: "hunter2" });
  expect(() => defineFleet({ ...good, coordinator })).toThrow(/password must be a reference/);
  expect(() => defineFleet({ ...good, coordinator })).not.toThrow(/hunter2/);
});

test("a queue of our own on several hosts must be said to be a single point", () => {
  const hosts = { a: { address: "10.0.0.1" }, b: { address: "10.0.0.2" } };
  const error = expect.objectContaining({ code: "TENFOLD_FLEET_SINGLE_POINT" });
  expect(() => defineFleet({ ...good, hosts })).toThrow(error);
  const queues = { jobs: durableQueue({ singlePointOfFailure: true }) };
  expect(() => defineFleet({ ...good, hosts, queues })).not.toThrow();
});

test("names are checked by the compiler too", () => {
  const services = { items: { module: "./items.ts" } };
  const wrong = () =>
    defineFleet({
      name: "typed",
      services,
      // @ts-expect-error there is no such service
      gateway: { port: 8080, routes: [{ path: "/", service: "itmes" }] },
    });
  expect(wrong).toThrow(/itmes/);
});
