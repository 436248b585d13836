import { expect, test, vi } from "vitest";

import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { memoryStore } from "../engines/memory/store.ts";
import { seededRandom } from "../runtime/random.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";
import type { Session } from "./coordinator.ts";
import { campaign, createCandidate, currentLeader, watchLeader } from "./election.ts";
import type { Hold } from "./hold.ts";
import { createKeptSession } from "./kept-session.ts";

const eventually = <Result>(check: () => Result | Promise<Result>): Promise<Result> =>
  vi.waitFor(check, { timeout: 45_000 });

const prefix = "/elections/health/";

test("one leads, others see who, and the next one follows when it resigns or dies", async () => {
  const store = memoryStore();
  const client = createMemoryCoordinator({ store });
  const sessions = await Promise.all([1, 2, 3].map(() => client.openSession({ ttlMs: 5_000 })));
  const seen: (string | undefined)[] = [];
  const stop = new AbortController();
  const watching = (async () => {
    for await (const leader of watchLeader(client, prefix, stop)) seen.push(leader?.value);
  })();
  const [a, b, c] = sessions as [Session, Session, Session];
  const first = await campaign(client, { prefix, session: a, value: "a" });
  expect(await currentLeader(client, prefix)).toMatchObject({ value: "a", token: first.token });
  const second = campaign(client, { prefix, session: b, value: "b" });
  await eventually(async () => expect((await client.list(prefix)).entries).toHaveLength(2));
  const third = campaign(client, { prefix, session: c, value: "c" });
  await eventually(async () => expect((await client.list(prefix)).entries).toHaveLength(3));
  await first.release();
  expect((await second).token > first.token).toBe(true);
  await eventually(() => expect(seen).toEqual([undefined, "a", "b"]));
  store.endSession(b.id);
  await third;
  await eventually(() => expect(seen).toEqual([undefined, "a", "b", "c"]));
  await (await third).release();
  await eventually(() => expect(seen.at(-1)).toBeUndefined());
  stop.abort();
  await watching;
});

test("a candidate leads again after a loss, and never twice at once in one process", async () => {
  const store = memoryStore();
  const client = createMemoryCoordinator({ store });
  const clock = virtualClock();
  const runtime = { clock, random: seededRandom("candidate") };
  const kept = createKeptSession(client, { runtime });
  const terms: Hold[] = [];
  let leading = 0;
  const candidate = createCandidate({
    coordinator: client,
    prefix,
    session: () => {
      if (kept.current === undefined) throw new Error("no session");
      return kept.current;
    },
    value: "me",
    runtime,
    async lead(term) {
      expect(++leading).toBe(1);
      terms.push(term);
      await new Promise((ended) => term.signal.addEventListener("abort", ended, { once: true }));
      // It takes a while to stop what it did.
      await clock.sleep(500);
      leading--;
    },
  });
  await clock.advance(5_000);
  expect(terms).toHaveLength(1);
  expect(candidate.term).toBe(terms[0]);
  store.endSession(kept.current?.id ?? "");
  await clock.advance(5_000);
  expect(terms).toHaveLength(2);
  expect((terms[1]?.token ?? "") > (terms[0]?.token ?? "")).toBe(true);
  const closing = candidate.close();
  await clock.advance(1_000);
  await closing;
  expect(leading).toBe(0);
  expect(candidate.term).toBeUndefined();
  expect(await currentLeader(client, prefix)).toBeUndefined();
  await kept.close();
});

test("who fails at once each time does not take office again and again", async () => {
  const client = createMemoryCoordinator();
  const clock = virtualClock();
  const session = await client.openSession({ ttlMs: 5_000 });
  let terms = 0;
  const candidate = createCandidate({
    ...{ coordinator: client, prefix, value: "me", session: () => session },
    runtime: { clock, random: seededRandom("failing") },
    lead: async () => {
      terms++;
      throw new Error("not able to");
    },
  });
  await clock.advance(20_000);
  expect(terms).toBeGreaterThan(5);
  expect(terms).toBeLessThan(30);
  await candidate.close();
});
