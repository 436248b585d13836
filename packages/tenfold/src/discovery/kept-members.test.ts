import { afterEach, expect, test } from "vitest";

import type { Coordinator } from "../coordination/coordinator.ts";
import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { memoryStore } from "../engines/memory/store.ts";
import { seededRandom } from "../runtime/random.ts";
import { runtimeWith } from "../runtime/runtime.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";
import { KeptMembers, type LeasedMember } from "./kept-members.ts";
import { sessionClassMs } from "./session-classes.ts";

const key = "/tenfold/f/members/billing/b-1";
const ttlMs = 10_000;
const member: LeasedMember = {
  ...{ id: "b-1", service: "billing", host: "a", zone: "z", address: "10.0.0.7", port: 80 },
  ...{ protocol: "http", version: "1", weight: 1, startedAtMs: 1, ttlMs },
};

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function world() {
  const store = memoryStore();
  const clock = virtualClock();
  const coordinator = createMemoryCoordinator({ store });
  const runtime = runtimeWith({ clock, random: seededRandom("kept") });
  const keeper = (over: Partial<Coordinator> = {}): KeptMembers => {
    const made = new KeptMembers({
      coordinator: { ...coordinator, ...over },
      timeoutMs: 1_000,
      runtime,
    });
    ends.push(async () => {
      const closing = made.close();
      await clock.advance(1_000);
      await closing;
    });
    return made;
  };
  const session = () => coordinator.openSession({ ttlMs: 60_000 });
  const isListed = async () => (await coordinator.get(key)) !== undefined;
  return { store, clock, coordinator, keeper, session, isListed };
}

const restore = async (
  kept: KeptMembers,
  session: Awaited<ReturnType<Coordinator["openSession"]>>,
) => await kept.restore(session, sessionClassMs(ttlMs));

test("what another registry keeps by now is not taken over with a new session", async () => {
  const { keeper, session, store, clock, isListed } = world();
  const [one, two] = [keeper(), keeper()];
  const [first, of] = [await session(), await session()];
  await one.put(key, member, first);
  store.endSession(first.id);
  await two.put(key, member, of);
  await restore(one, await session());
  const kept = two.get(key);
  if (kept !== undefined) kept.until += 60_000;
  await clock.advance(2 * ttlMs);
  expect([one.size, two.size, await isListed()]).toEqual([0, 1, true]);
});

test.each(["expires", "is removed"])(
  "what %s while it is listed again is not left",
  async (how) => {
    const { keeper, session, store, clock, coordinator, isListed } = world();
    const hold = Promise.withResolvers<void>();
    const release = hold.resolve;
    let held = false;
    const one = keeper({
      async transact(transaction, call) {
        if (held && transaction.change.some((change) => "put" in change)) await hold.promise;
        return await coordinator.transact(transaction, call);
      },
    });
    const first = await session();
    await one.put(key, member, first);
    store.endSession(first.id);
    held = true;
    const restored = restore(one, await session());
    if (how === "expires") await clock.advance(ttlMs + 1_000);
    else await one.remove(key);
    expect([one.size, await isListed()]).toEqual([0, false]);
    release();
    await restored;
    await clock.advance(2_000);
    expect(await isListed()).toBe(false);
  },
);

/** Applies the next put, loses its answer, and is away from then on. */
function losing(coordinator: Coordinator) {
  const state: { is: "there" | "about to go" | "away" } = { is: "there" };
  const over: Partial<Coordinator> = {
    async get(name, call) {
      if (state.is === "away") throw new Error("away");
      return await coordinator.get(name, call);
    },
    async transact(transaction, call) {
      if (state.is === "away") throw new Error("away");
      const result = await coordinator.transact(transaction, call);
      if (state.is === "there") return result;
      state.is = "away";
      throw new Error("the answer is lost");
    },
  };
  return { state, over };
}

test("a first put whose answer is lost leaves nothing that nobody keeps", async () => {
  const { keeper, session, clock, coordinator, isListed } = world();
  const { state, over } = losing(coordinator);
  const one = keeper(over);
  state.is = "about to go";
  await expect(one.put(key, member, await session())).rejects.toThrow("the answer is lost");
  expect(await isListed()).toBe(true);
  state.is = "there";
  await clock.advance(10_000);
  expect(await isListed()).toBe(false);
});

test.each(["1", "2"])(
  "a retry with version %s, while the first put is being taken out, stays listed",
  async (version) => {
    const { keeper, session, clock, coordinator, isListed } = world();
    const { state, over } = losing(coordinator);
    const [sent, hold] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const one = keeper({
      ...over,
      async transact(transaction, call) {
        if (state.is === "there" && transaction.change.some((change) => "delete" in change)) {
          sent.resolve();
          await hold.promise;
        }
        return await (over.transact ?? coordinator.transact)(transaction, call);
      },
    });
    const of = await session();
    state.is = "about to go";
    await expect(one.put(key, member, of)).rejects.toThrow("the answer is lost");
    state.is = "there";
    const passing = clock.advance(5_000);
    await sent.promise;
    await one.put(key, { ...member, version }, of);
    hold.resolve();
    await passing;
    await clock.advance(1_000);
    expect([one.size, await isListed()]).toEqual([1, true]);
  },
);

test("what is put again while its end is on its way stays listed", async () => {
  const { keeper, session, clock, coordinator, isListed } = world();
  const [sent, hold] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const one = keeper({
    async transact(transaction, call) {
      if (transaction.change.some((change) => "delete" in change)) {
        sent.resolve();
        await hold.promise;
      }
      return await coordinator.transact(transaction, call);
    },
  });
  const of = await session();
  await one.put(key, member, of);
  const passing = clock.advance(ttlMs + 1_000);
  await sent.promise;
  await one.put(key, member, of);
  hold.resolve();
  await passing;
  expect([one.size, await isListed()]).toEqual([1, true]);
});

test("what expires after a lost answer to listing it again is not left", async () => {
  const { keeper, session, store, clock, coordinator, isListed } = world();
  const { state, over } = losing(coordinator);
  const one = keeper(over);
  const first = await session();
  await one.put(key, member, first);
  store.endSession(first.id);
  state.is = "about to go";
  const restored = restore(one, await session());
  await clock.advance(2 * ttlMs);
  await restored;
  expect([one.size, await isListed()]).toEqual([0, true]);
  state.is = "there";
  await clock.advance(20_000);
  expect(await isListed()).toBe(false);
});
