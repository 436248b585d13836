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
  const second = createRegistrar({ coordinator, session, fleet: "f", member, runtime });
  await second.registered;
  await first.deregister();
  expect(await listed()).toEqual([key]);
  await second.deregister();
  expect(await listed()).toEqual([]);
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
