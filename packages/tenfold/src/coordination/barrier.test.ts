import { expect, test, vi } from "vitest";

import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { memoryStore } from "../engines/memory/store.ts";
import { enterBarrier } from "./barrier.ts";
import type { Coordinator } from "./coordinator.ts";

const eventually = <Result>(check: () => Result | Promise<Result>): Promise<Result> =>
  vi.waitFor(check, { timeout: 45_000 });

const prefix = "/meetings/1/";

test("nobody goes on before all have come, nor is through before all are done", async () => {
  let lists = 0;
  const inner = createMemoryCoordinator();
  const client: Coordinator = {
    ...inner,
    list: (...args) => {
      lists++;
      return inner.list(...args);
    },
  };
  const count = 10;
  const done: number[] = [];
  let inside = 0;
  const come = async (index: number): Promise<void> => {
    const session = await client.openSession({ ttlMs: 5_000 });
    const passage = await enterBarrier(client, { prefix, count, session });
    inside++;
    await eventually(() => expect(inside).toBe(count));
    if (index === 9) await eventually(() => expect(lists).toBeGreaterThanOrEqual(count + 9));
    await passage.leave();
    done.push(index);
  };
  const early = Array.from({ length: count - 1 }, (_, index) => come(index));
  await eventually(() => expect(lists).toBe(count - 1));
  expect(inside).toBe(0);
  await come(9);
  await Promise.all(early);
  expect(done).toHaveLength(count);
  expect((await client.list(prefix)).entries).toEqual([]);
});

test("who dies inside does not keep the others; who gives up leaves no entry", async () => {
  const store = memoryStore();
  const client = createMemoryCoordinator({ store });
  const sessions = await Promise.all([1, 2, 3].map(() => client.openSession({ ttlMs: 5_000 })));
  const [a, b, c] = sessions as [(typeof sessions)[0], (typeof sessions)[0], (typeof sessions)[0]];
  const abort = new AbortController();
  const { signal } = abort;
  const given = expect(enterBarrier(client, { prefix, count: 2, session: c, signal })).rejects;
  await eventually(async () => expect((await client.list(prefix)).entries).toHaveLength(1));
  abort.abort();
  await given.toMatchObject({ code: "TENFOLD_ABORTED" });
  await eventually(async () => expect((await client.list(prefix)).entries).toHaveLength(0));
  const [first] = await Promise.all([
    enterBarrier(client, { prefix, count: 2, session: a }),
    enterBarrier(client, { prefix, count: 2, session: b }),
  ]);
  const leaving = first.leave();
  store.endSession(b.id);
  await leaving;
});
