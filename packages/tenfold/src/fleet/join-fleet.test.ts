import { afterEach, expect, test } from "vitest";

import { fleetKeys } from "../coordination/keys.ts";
import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { systemRuntime } from "../runtime/runtime.ts";
import type { Storage } from "../runtime/storage.ts";
import { defineFleet, durableQueue, type FleetDefinition } from "./fleet-definition.ts";
import { planFleet } from "./fleet-plan.ts";
import { type JoinOptions, joinFleet, type Membership } from "./join-fleet.ts";

const fleet = defineFleet({
  name: "shop",
  hosts: { a: { address: "10.0.0.1", zone: "z1" }, b: { address: "10.0.0.2", zone: "z2" } },
  services: { items: { module: "./items.ts", instances: 2 } },
  queues: { jobs: durableQueue({ singlePointOfFailure: true, hosts: ["a"] }) },
});
const keys = fleetKeys("shop");
let coordinator = createMemoryCoordinator();
let notices: string[] = [];
const joined: Membership[] = [];

afterEach(async () => {
  for (const each of joined.splice(0)) await each.close();
  await coordinator.close();
  coordinator = createMemoryCoordinator();
  notices = [];
});

function folder(): Storage & { readonly files: Map<string, string> } {
  const files = new Map<string, string>();
  return {
    files,
    read: async (name) => (files.has(name) ? Buffer.from(files.get(name) ?? "") : undefined),
    write: async (name, contents) => void files.set(name, contents.toString()),
    async create(name, contents) {
      if (files.has(name)) return false;
      files.set(name, contents.toString());
      return true;
    },
    remove: async (name) => void files.delete(name),
    list: async () => [...files.keys()],
  };
}

async function join(
  host: string,
  storage: Storage,
  options: Partial<JoinOptions> & { readonly of?: FleetDefinition } = {},
): Promise<Membership> {
  const { of = fleet, ...known } = options;
  const plan = planFleet(of, { dataFolder: "/data", host, coordinator: "etcd://c:1" });
  const defaults = { join: undefined, fresh: false, version: "1", runtime: systemRuntime };
  const onNotice = (text: string) => void notices.push(text);
  const given = { plan, coordinator, storage, onNotice, ...defaults, ...known };
  const membership = await joinFleet(given, new AbortController().signal);
  joined.push(membership);
  return membership;
}

const coded = (code: string, message = "") =>
  expect.objectContaining({ code, message: expect.stringContaining(message) });

test("the first host makes the token, the others must show it", async () => {
  const [a, b] = [folder(), folder()];
  const { token } = await join("a", a);
  expect(a.files.get("token")).toBe(token);
  const refused = (given?: string) =>
    expect(join("b", b, { join: given })).rejects.toEqual(coded("TENFOLD_FLEET_JOIN_REFUSED"));
  await refused();
  await refused("another-token-of-24-chars");
  await refused("short");
  expect(b.files.has("token")).toBe(false);
  const { entries } = await coordinator.list(keys.hosts());
  expect(entries.map(({ key }) => key)).toEqual([keys.hosts("a")]);
  for (const { value } of (await coordinator.list(keys.all())).entries) {
    expect(value).not.toContain(token);
  }
  expect((await join("b", b, { join: token })).token).toBe(token);
  expect(b.files.get("token")).toBe(token);
  await (await joined.pop())?.close();
  expect((await join("b", b)).token).toBe(token);
});

test("of two hosts that start an empty fleet at once, one makes the token", async () => {
  const outcomes = await Promise.allSettled([join("a", folder()), join("b", folder())]);
  const refused = outcomes.filter(({ status }) => status === "rejected");
  expect(refused).toEqual([
    { status: "rejected", reason: coded("TENFOLD_FLEET_JOIN_REFUSED", "it was given none") },
  ]);
});

test("one supervisor a host; what a dead one left on the same folder is taken over", async () => {
  const own = folder();
  const { token } = await join("a", own);
  await expect(join("a", folder(), { join: token })).rejects.toEqual(
    coded("TENFOLD_FLEET_ALREADY_RUNNING", "another data folder"),
  );
  await join("a", own);
  const { entries } = await coordinator.list(keys.hosts());
  expect(entries).toHaveLength(1);
});

test("a file by which something would run twice is refused, another difference is told", async () => {
  const { token } = await join("a", folder());
  const items = { module: "./items.ts", instances: 2, settings: { colour: "red" } };
  await join("b", folder(), { join: token, of: { ...fleet, services: { items } } });
  expect(notices).toEqual(["the fleet file of host a is another in: items"]);
  await joined.pop()?.close();
  const onB = { items: { ...items, hosts: ["b"] } };
  await expect(
    join("b", folder(), { join: token, of: { ...fleet, services: onB } }),
  ).rejects.toEqual(coded("TENFOLD_FLEET_FILES_DIFFER", 'host "a" runs items-1'));
});

test("a queue's data is kept on its host and in its folder", async () => {
  const own = folder();
  const { token } = await join("a", own);
  await joined.pop()?.close();
  const jobs = durableQueue({ singlePointOfFailure: true, hosts: ["b"] });
  await expect(
    join("b", folder(), { join: token, of: { ...fleet, queues: { jobs } } }),
  ).rejects.toEqual(coded("TENFOLD_FLEET_STORE_CHANGED", 'queue-jobs is on host "a"'));
  await expect(join("a", folder(), { join: token })).rejects.toEqual(
    coded("TENFOLD_FLEET_DATA_MISSING", "queue-jobs"),
  );
  await join("a", own);
});

test("a host of several that begins anew shows the token again and takes no keys away", async () => {
  const { token } = await join("a", folder());
  const stands = { put: keys.placement("db"), value: "of all" };
  await coordinator.transact({ change: [stands] });
  const refused = coded("TENFOLD_FLEET_JOIN_REFUSED", "it was given none");
  await expect(join("b", folder(), { fresh: true })).rejects.toEqual(refused);
  await join("b", folder(), { fresh: true, join: token });
  expect((await coordinator.get(stands.put))?.value).toBe(stands.value);
});

test("a fleet of one host that begins anew leaves nothing but numbers behind", async () => {
  const one = { ...fleet, hosts: { a: { address: "10.0.0.1" } } };
  await join("a", folder(), { of: one });
  await joined.pop()?.close();
  const kept = { put: `${keys.numbers("snowflake")}7`, value: "held" };
  const stale = { put: keys.placement("db"), value: "old" };
  await coordinator.transact({ change: [kept, stale] });
  await join("a", folder(), { of: one, fresh: true });
  const names = (await coordinator.list(keys.all())).entries.map(({ key }) => key);
  expect(names).toEqual(
    [keys.homes("queue-jobs"), keys.hosts("a"), keys.joinToken(), kept.put].toSorted(),
  );
});
