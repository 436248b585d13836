import { afterEach, expect, it } from "vitest";

import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { memoryStore } from "../engines/memory/store.ts";
import { isTenfoldError } from "../runtime/errors.ts";
import { seededRandom } from "../runtime/random.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";
import { formatMember } from "./member.ts";
import { createServiceRegistry, type ServiceRegistryOptions } from "./service-registry.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function world() {
  const store = memoryStore();
  const clock = virtualClock();
  const coordinator = createMemoryCoordinator({ store });
  const runtime = { clock, random: seededRandom("registry") };
  const registry = (options: Partial<ServiceRegistryOptions> = {}) => {
    const made = createServiceRegistry({
      coordinator: createMemoryCoordinator({ store }),
      fleet: "f",
      host: "a",
      zone: "z",
      runtime,
      ...options,
    });
    ends.push(async () => {
      const closing = made.close();
      await clock.advance(3_000);
      await closing;
    });
    return made;
  };
  const listed = async () => {
    const { entries } = await coordinator.list("/tenfold/f/members/");
    return entries.map(({ key }) => key.slice("/tenfold/f/members/".length));
  };
  const revision = async () => (await coordinator.list("/tenfold/f/members/")).revision;
  return { store, clock, coordinator, registry, listed, revision };
}

const body = { address: "10.0.0.7", port: 80, ttlMs: 10_000 };

it("knows of no instance that is not there before it has read who is", async () => {
  const { registry, clock, coordinator } = world();
  await registry().register("billing", "b-1", body);
  expect(await registry().heartbeat("billing", "b-1")).toMatchObject({ created: false });
  await expect(registry().heartbeat("billing", "b-2")).rejects.toMatchObject({
    code: "TENFOLD_DISCOVERY_NOT_REGISTERED",
  });
  const silent = { ...coordinator, async *watch() {} };
  const beat = registry({ coordinator: silent, callTimeoutMs: 1_000 }).heartbeat("billing", "b-1");
  const refused = expect(beat).rejects.toMatchObject({ code: "TENFOLD_COORDINATION_UNAVAILABLE" });
  await clock.advance(2_000);
  await refused;
});

it("lists an instance as long as its heartbeats come", async () => {
  const { registry, clock, listed } = world();
  const one = registry();
  expect((await one.register("billing", "b-1", body)).created).toBe(true);
  expect(one.list()?.map(({ service }) => service)).toEqual(["billing"]);
  for (let beat = 0; beat < 5; beat++) {
    await clock.advance(9_000);
    await one.heartbeat("billing", "b-1");
  }
  expect(await listed()).toEqual(["billing/b-1"]);
  await clock.advance(9_700);
  expect(await listed()).toEqual(["billing/b-1"]);
  await clock.advance(600);
  expect(await listed()).toEqual([]);
  expect(await code(one.heartbeat("billing", "b-1"))).toBe("NOT_REGISTERED");
});

it("costs the coordinator nothing while nothing changes", async () => {
  const { registry, clock, revision } = world();
  const one = registry();
  await one.register("billing", "b-1", body);
  const before = await revision();
  for (let beat = 0; beat < 20; beat++) {
    await clock.advance(1_000);
    await one.heartbeat("billing", "b-1");
    await one.register("billing", "b-1", body);
  }
  expect(await revision()).toBe(before);
  const { created } = await one.register("billing", "b-1", { ...body, weight: 3 });
  expect(created).toBe(false);
  expect(await revision()).toBeGreaterThan(before);
  expect(one.list()?.[0]?.members).toMatchObject([{ id: "b-1", weight: 3 }]);
});

it("takes out what is deregistered, also what is not there", async () => {
  const { registry, listed } = world();
  const one = registry();
  await one.register("billing", "b-1", body);
  await one.deregister("billing", "b-1");
  await one.deregister("billing", "b-1");
  expect(await listed()).toEqual([]);
});

it("leaves the entries of the fleet's own processes alone", async () => {
  const { registry, coordinator, listed } = world();
  const one = registry();
  const own = { id: "posts-1", service: "posts", host: "a", zone: "z", address: "127.0.0.1" };
  const rest = { port: 1, protocol: "http", version: "1", weight: 1, startedAtMs: 1 } as const;
  const value = formatMember({ ...own, ...rest });
  await coordinator.transact({ change: [{ put: "/tenfold/f/members/posts/posts-1", value }] });
  await coordinator.transact({ change: [{ put: "/tenfold/f/members/posts/odd", value: "?" }] });
  for (const name of ["posts-1", "odd"]) {
    expect(await code(one.register("posts", name, body))).toBe("NAME_TAKEN");
    expect(await code(one.deregister("posts", name))).toBe("NAME_TAKEN");
  }
  expect(await code(one.heartbeat("posts", "posts-1"))).toBe("NAME_TAKEN");
  expect(await listed()).toEqual(["posts/odd", "posts/posts-1"]);
});

it("lists everything again after its session was lost", async () => {
  const { registry, store, coordinator, clock, listed } = world();
  const one = registry();
  await one.register("billing", "b-1", body);
  await one.register("billing", "b-2", { ...body, ttlMs: 60_000 });
  const entry = await coordinator.get("/tenfold/f/members/billing/b-1");
  store.endSession(entry?.sessionId ?? "");
  expect(await listed()).toEqual(["billing/b-2"]);
  await clock.advance(2_500);
  expect(await listed()).toEqual(["billing/b-1", "billing/b-2"]);
  // That was no heartbeat.
  await clock.advance(8_000);
  expect(await listed()).toEqual(["billing/b-2"]);
});

it("hands an instance over to the registry that hears it", async () => {
  const { registry, clock, listed } = world();
  const [one, two] = [registry(), registry()];
  await one.register("billing", "b-1", body);
  for (let beat = 0; beat < 6; beat++) {
    await clock.advance(3_000);
    const heard = await two.heartbeat("billing", "b-1");
    expect(heard.created).toBe(false);
    expect(await listed()).toEqual(["billing/b-1"]);
  }
  // The first has heard nothing for longer than the time to live, and took nothing out.
  expect([one.size, two.size]).toEqual([0, 1]);
  await clock.advance(12_000);
  expect(await listed()).toEqual([]);
});

it("leaves what it keeps to the next registry when it is stopped", async () => {
  const { registry, clock, listed } = world();
  const one = registry();
  await one.register("billing", "b-1", body);
  const closing = one.close();
  await clock.advance(3_000);
  await closing;
  expect(await listed()).toEqual(["billing/b-1"]);
  const two = registry();
  await clock.advance(100);
  expect((await two.heartbeat("billing", "b-1")).created).toBe(false);
  await clock.advance(11_000);
  expect(await listed()).toEqual([]);
});

it("forgives heartbeats that waited while it was asleep", async () => {
  const { registry, clock, listed } = world();
  let sleptMs = 0;
  const sleepy = { ...clock, now: () => clock.now() + sleptMs };
  const one = registry({ runtime: { clock: sleepy, random: seededRandom("registry") } });
  await one.register("billing", "b-1", body);
  await clock.advance(1_000);
  sleptMs = 30_000;
  await clock.advance(8_000);
  expect(await listed()).toEqual(["billing/b-1"]);
});

it("keeps a bounded number", async () => {
  const { registry } = world();
  const one = registry({ instancesMax: 1 });
  await one.register("billing", "b-1", body);
  expect(await code(one.register("billing", "b-2", body))).toBe("REGISTRY_FULL");
  await one.register("billing", "b-1", { ...body, version: "2" });
});

it("tells a watcher the list, then every change of this service only", async () => {
  const { registry } = world();
  const one = registry();
  await one.register("other", "o-1", body);
  const stop = new AbortController();
  const lists = one.watch("billing", stop.signal);
  const next = async () => (await lists.next()).value?.members.map(({ id }: { id: string }) => id);
  expect(await next()).toEqual([]);
  await one.register("billing", "b-1", body);
  expect(await next()).toEqual(["b-1"]);
  await one.register("other", "o-2", body);
  await one.register("billing", "b-2", body);
  expect(await next()).toEqual(["b-1", "b-2"]);
  stop.abort();
  expect((await lists.next()).done).toBe(true);
});

async function code(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
  } catch (error) {
    return isTenfoldError(error) ? error.code.replace("TENFOLD_DISCOVERY_", "") : String(error);
  }
  return undefined;
}
