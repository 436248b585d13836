import { expect, it } from "vitest";

import type { Transaction } from "../coordination/coordinator.ts";
import { createKeptSession } from "../coordination/kept-session.ts";
import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { memoryStore } from "../engines/memory/store.ts";
import { TenfoldError } from "../runtime/errors.ts";
import { seededRandom } from "../runtime/random.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";
import { coordinatorResolver } from "./coordinator-resolver.ts";
import type { Endpoint, Member } from "./endpoint.ts";
import { parseMember } from "./member.ts";
import { createRegistrar } from "./registrar.ts";

const member: Member = {
  id: "posts-1",
  service: "posts",
  host: "a",
  zone: "z1",
  address: "127.0.0.1",
  port: 7_000,
  adminPort: 7_001,
  protocol: "http",
  version: "1.0.0",
  weight: 1,
  pid: 42,
  startedAtMs: 1_700_000_000_000,
};

function world() {
  const store = memoryStore();
  const coordinator = createMemoryCoordinator({ store });
  const clock = virtualClock();
  const runtime = { clock, random: seededRandom("registrar") };
  const session = createKeptSession(coordinator, { runtime });
  const listed = async (): Promise<readonly string[]> => {
    const { entries } = await coordinator.list("/tenfold/f/members/");
    return entries.map(({ key }) => key);
  };
  return { store, coordinator, clock, runtime, session, listed };
}

const key = "/tenfold/f/members/posts/posts-1";

it("lists the member, and takes it out for a drain while the session lives on", async () => {
  const { coordinator, runtime, session, listed } = world();
  const registrar = createRegistrar({ coordinator, session, fleet: "f", member, runtime });
  await registrar.registered;
  expect(await listed()).toEqual([key]);
  await registrar.deregister();
  await registrar.close();
  expect(await listed()).toEqual([]);
  expect(session.current?.state).toBe("active");
  await session.close();
});

it("lists it again after the session was lost", async () => {
  const { store, coordinator, clock, runtime, session, listed } = world();
  const registrar = createRegistrar({ coordinator, session, fleet: "f", member, runtime });
  await registrar.registered;
  store.endSession((await session.opened()).id);
  expect(await listed()).toEqual([]);
  await clock.advance(3_000);
  await session.opened();
  await expect.poll(listed).toEqual([key]);
  await registrar.close();
  expect(await listed()).toEqual([]);
  await session.close();
});

it("tries on while the coordinator is away, and gives up when it is closed", async () => {
  const { coordinator, clock, runtime, session, listed } = world();
  let away = true;
  let tries = 0;
  const flaky = {
    transact(transaction: Transaction) {
      tries++;
      if (away) throw new TenfoldError("TENFOLD_COORDINATION_UNAVAILABLE", "away");
      return coordinator.transact(transaction);
    },
  };
  const registrar = createRegistrar({ coordinator: flaky, session, fleet: "f", member, runtime });
  await session.opened();
  await clock.advance(5_000);
  expect(tries).toBeGreaterThan(3);
  away = false;
  await clock.advance(3_000);
  await registrar.registered;
  expect(await listed()).toEqual([key]);
  away = true;
  await registrar.close();
  expect(await listed()).toEqual([key]);
  await session.close();
  expect(await listed()).toEqual([]);
});

it("leaves a successor's entry alone", async () => {
  const { coordinator, runtime, session, listed } = world();
  const first = createRegistrar({ coordinator, session, fleet: "f", member, runtime });
  await first.registered;
  const other = createKeptSession(coordinator, { runtime });
  const options = { coordinator, session: other, fleet: "f", member, runtime };
  const second = createRegistrar(options);
  await second.registered;
  first.update({ weight: 7 });
  await first.deregister();
  expect((await coordinator.get(key))?.sessionId).toBe((await other.opened()).id);
  await second.deregister();
  expect(await listed()).toEqual([]);
  await session.close();
  await other.close();
});

it("says anew what changed, once a second at most, and a load only now and then", async () => {
  const { coordinator, clock, runtime, session } = world();
  const registrar = createRegistrar({ coordinator, session, fleet: "f", member, runtime });
  await registrar.registered;
  const standing = async () => parseMember((await coordinator.get(key))?.value ?? "");
  const revision = async () => (await coordinator.get(key))?.revision ?? 0n;
  const first = await revision();
  for (let weight = 2; weight <= 9; weight++) registrar.update({ weight });
  await clock.advance(900);
  expect(await revision()).toBe(first);
  await clock.advance(200);
  expect(await standing()).toEqual({ ...member, weight: 9 });
  const second = await revision();

  for (let requests = 0; requests < 100; requests++) {
    registrar.update({ load: { utilisation: 0.5, requests } });
    await clock.advance(40);
  }
  expect(await revision()).toBe(second);
  await clock.advance(2_000);
  expect(await standing()).toMatchObject({ load: { utilisation: 0.5, requests: 99 } });
  const third = await revision();
  registrar.update({ load: { utilisation: 0.51, requests: 98 } });
  await clock.advance(20_000);
  expect(await revision()).toBe(third);

  expect(() => registrar.update({ weight: -1 })).toThrow(/weight/);
  await registrar.close();
  await session.close();
});

it("says it under the next session too", async () => {
  const { store, coordinator, clock, runtime, session } = world();
  const registrar = createRegistrar({ coordinator, session, fleet: "f", member, runtime });
  await registrar.registered;
  registrar.update({ version: "2.0.0", weight: 0 });
  store.endSession((await session.opened()).id);
  await clock.advance(3_000);
  await session.opened();
  const value = async () => (await coordinator.get(key))?.value ?? "{}";
  await expect.poll(async () => JSON.parse(await value())).toMatchObject({ version: "2.0.0" });
  await registrar.close();
  await session.close();
});

it("is seen by a resolver, beside entries that nobody can read", async () => {
  const { coordinator, runtime, session } = world();
  const resolver = coordinatorResolver(coordinator, { fleet: "f" });
  const lists: (readonly Endpoint[])[] = [];
  const stop = new AbortController();
  const watching = (async () => {
    for await (const list of resolver.watch("posts", stop)) lists.push(list);
  })();
  const broken = "/tenfold/f/members/posts/posts-9";
  await coordinator.transact({ change: [{ put: broken, value: "{" }] });
  const registrar = createRegistrar({ coordinator, session, fleet: "f", member, runtime });
  await expect.poll(() => lists.at(-1)).toEqual([member]);
  await registrar.deregister();
  await expect.poll(() => lists.at(-1)).toEqual([]);
  stop.abort();
  await watching;
  resolver.close();
  await session.close();
});
