import { expect, test } from "vitest";

import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { memoryStore } from "../engines/memory/store.ts";
import { seededRandom } from "../runtime/random.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";
import type { Coordinator, Transaction } from "./coordinator.ts";
import { createOrdered } from "./create-ordered.ts";

const prefix = "/queue/";

/** A client of which the answers to the first `lost` transactions are lost. */
function losing(lost: number, isApplied: (count: number) => boolean) {
  const store = memoryStore();
  const inner = createMemoryCoordinator({ store });
  let count = 0;
  const calls: Pick<Coordinator, "get" | "transact"> = {
    get: inner.get,
    async transact(transaction: Transaction) {
      count++;
      if (count > lost) return await inner.transact(transaction);
      if (isApplied(count)) await inner.transact(transaction);
      return { outcome: "indeterminate", cause: "lost" };
    },
  };
  const clock = virtualClock();
  const runtime = { clock, random: seededRandom("ordered") };
  return { store, inner, calls, clock, runtime };
}

test.each([
  ["was applied", (count: number) => count === 1],
  ["was not applied", () => false],
])("a create whose answer was lost and that %s leaves one entry", async (_, isApplied) => {
  const { store, inner, calls, clock, runtime } = losing(2, isApplied);
  const session = await inner.openSession({ ttlMs: 5_000 });
  const creating = createOrdered(calls, { prefix, value: "v", session }, runtime);
  await clock.advance(2_000);
  const { key, token } = await creating;
  const { entries } = store.list(prefix);
  expect(entries.map((entry) => [entry.key, entry.token])).toEqual([[key, token]]);
});

test("when the time is up the entry is taken back, also one that comes late", async () => {
  const { store, inner, calls, clock, runtime } = losing(4, () => false);
  const session = await inner.openSession({ ttlMs: 5_000 });
  const entry = { prefix, value: "v", session };
  const creating = createOrdered(calls, entry, runtime, { timeoutMs: 100 });
  const failing = expect(creating).rejects.toMatchObject({
    code: "TENFOLD_COORDINATION_UNAVAILABLE",
    retryable: true,
  });
  await clock.advance(1_000);
  await failing;
  const { key } = (await creating.catch((error) => error)).details;
  // The server carries the request out only now.
  await inner.transact({ change: [{ put: key, value: "v", session }] });
  await clock.advance(20_000);
  expect(store.get(key)).toBeUndefined();
  expect(clock.pending).toBe(0);
});

test("a session that has ended gets no entry", async () => {
  const { store, inner, calls, runtime } = losing(0, () => true);
  const session = await inner.openSession({ ttlMs: 5_000 });
  await session.close();
  await expect(createOrdered(calls, { prefix, value: "", session }, runtime)).rejects.toMatchObject(
    { code: "TENFOLD_COORDINATION_SESSION_LOST" },
  );
  expect(store.list(prefix).entries).toEqual([]);
});
