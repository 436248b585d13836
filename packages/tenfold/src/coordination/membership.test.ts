import { expect, test, vi } from "vitest";
import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { memoryStore } from "../engines/memory/store.ts";
import { seededRandom } from "../runtime/random.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";
import type { Coordinator } from "./coordinator.ts";
import { createKeptSession } from "./kept-session.ts";
import { joinGroup } from "./membership.ts";
import { watchedMap } from "./watched-map.ts";

const eventually = <Result>(check: () => Result | Promise<Result>): Promise<Result> =>
  vi.waitFor(check, { timeout: 45_000 });

const key = "/group/a";

function stand() {
  const store = memoryStore();
  const client = createMemoryCoordinator({ store });
  const clock = virtualClock();
  const runtime = { clock, random: seededRandom("group") };
  const session = createKeptSession(client, { runtime });
  return { store, client, clock, runtime, session };
}

test("joins, changes its word, joins again after a loss, and leaves", async () => {
  const { store, client, clock, runtime, session } = stand();
  const group = watchedMap(client, "/group/", String, { runtime });
  const member = joinGroup({ coordinator: client, session, key, value: "one", runtime });
  await member.joined;
  await eventually(() => expect(group.current.get("a")).toBe("one"));
  for (const value of ["two", "three", "four"]) member.update(value);
  await eventually(() => expect(group.current.get("a")).toBe("four"));
  const first = session.current;
  store.endSession(first?.id ?? "");
  await eventually(() => expect(group.current.size).toBe(0));
  await clock.advance(3_000);
  expect((await client.get(key))?.sessionId).toBe(session.current?.id);
  expect(session.current?.id).not.toBe(first?.id);
  expect(group.current.get("a")).toBe("four");
  await member.leave();
  expect(await client.get(key)).toBeUndefined();
  await eventually(() => expect(group.current.size).toBe(0));
  group.close();
  await session.close();
});

test("a later member of the same name is left alone", async () => {
  const { store, client, clock, runtime, session } = stand();
  const member = joinGroup({ coordinator: client, session, key, value: "old", runtime });
  await member.joined;
  const successor = createKeptSession(client, { runtime });
  const other = joinGroup({ coordinator: client, session: successor, key, value: "new", runtime });
  await other.joined;
  member.update("old again");
  await clock.advance(3_000);
  expect((await client.get(key))?.value).toBe("new");
  store.endSession(session.current?.id ?? "");
  await clock.advance(3_000);
  expect((await client.get(key))?.value).toBe("new");
  await member.leave();
  expect((await client.get(key))?.value).toBe("new");
  await other.leave();
  await Promise.all([session.close(), successor.close()]);
});

test("an entry that was removed by hand stands again with the next word", async () => {
  const { client, clock, runtime, session } = stand();
  const member = joinGroup({ coordinator: client, session, key, value: "one", runtime });
  await member.joined;
  await client.transact({ change: [{ delete: key }] });
  member.update("two");
  await clock.advance(1_000);
  expect((await client.get(key))?.value).toBe("two");
  await member.leave();
  await session.close();
});

test("an entry that was removed by hand does not take the place of one who came since", async () => {
  const { client, clock, runtime, session } = stand();
  const member = joinGroup({ coordinator: client, session, key, value: "one", runtime });
  await member.joined;
  await client.transact({ change: [{ delete: key }] });
  member.update("two");
  await clock.advance(1);
  await client.transact({ change: [{ put: key, value: "another" }] });
  await clock.advance(60_000);
  expect((await client.get(key))?.value).toBe("another");
  await member.leave();
  await session.close();
});

/** Applies the next put and loses its answer; then it is away until it is told to be there. */
function losing(client: Coordinator) {
  const link = { state: "there" as "there" | "about to go" | "away" };
  const transact: Coordinator["transact"] = async (asked, call) => {
    if (link.state === "away") throw new Error("away");
    const result = await client.transact(asked, call);
    if (link.state === "there") return result;
    link.state = "away";
    throw new Error("the answer is lost");
  };
  return { link, coordinator: { transact } };
}

test("a first put whose answer was lost is taken out by leaving, and stands if it stays", async () => {
  const { client, clock, runtime, session } = stand();
  const { link, coordinator } = losing(client);
  const lose = async () => {
    link.state = "about to go";
    const member = joinGroup({ coordinator, session, key, value: "one", runtime });
    await eventually(async () => expect((await client.get(key))?.value).toBe("one"));
    await eventually(() => expect(link.state).toBe("away"));
    link.state = "there";
    return member;
  };
  await session.opened();
  await (await lose()).leave();
  expect(await client.get(key)).toBeUndefined();
  const stays = await lose();
  stays.update("two");
  await clock.advance(3_000);
  await stays.joined;
  expect((await client.get(key))?.value).toBe("two");
  await stays.leave();
  expect(await client.get(key)).toBeUndefined();
  await session.close();
});
