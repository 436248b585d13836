import { describe, expect, test, vi } from "vitest";

import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { memoryStore } from "../engines/memory/store.ts";
import { TenfoldError } from "../runtime/errors.ts";
import { silentLog } from "../runtime/log.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";
import type { Coordinator } from "./coordinator.ts";
import { coordinatorFence } from "./coordinator-fence.ts";
import type { Hold } from "./hold.ts";
import { acquireLock, withLock } from "./lock.ts";

const eventually = <Result>(check: () => Result | Promise<Result>): Promise<Result> =>
  vi.waitFor(check, { timeout: 45_000 });

const prefix = "/locks/a/";

function stand(bend: (client: Coordinator) => Coordinator = (client) => client) {
  const store = memoryStore();
  const client = bend(createMemoryCoordinator({ store }));
  const openSession = () => client.openSession({ ttlMs: 5_000 });
  return { store, client, openSession };
}

const line = async (client: Coordinator) => (await client.list(prefix)).entries;

test("one at a time, first come first served, with growing tokens", async () => {
  const { client, openSession } = stand();
  const tokens: string[] = [];
  const order: number[] = [];
  let inside = 0;
  const running = Array.from({ length: 20 }, async (_, index) => {
    const session = await openSession();
    await withLock(client, { prefix, session }, async ({ token }) => {
      expect(++inside).toBe(1);
      tokens.push(token);
      order.push(index);
      await new Promise(setImmediate);
      inside--;
    });
  });
  await Promise.all(running);
  expect(tokens).toEqual(tokens.toSorted());
  expect(new Set(tokens).size).toBe(20);
  expect(order).toEqual(order.toSorted((a, b) => a - b));
  expect(await line(client)).toEqual([]);
});

test("an end wakes the next one alone", async () => {
  let lists = 0;
  const { client, openSession } = stand((inner) => ({
    ...inner,
    list: (...args) => {
      lists++;
      return inner.list(...args);
    },
  }));
  const session = await openSession();
  const first = await acquireLock(client, { prefix, session });
  const others = Array.from({ length: 50 }, () => acquireLock(client, { prefix, session }));
  await eventually(() => expect(lists).toBe(51));
  await first.release();
  const second = await others[0];
  expect(second?.token).toBeDefined();
  await new Promise((done) => setTimeout(done, 20));
  expect(lists).toBe(52);
  await client.close();
  await Promise.allSettled(others);
});

test("who dies while it waits is passed over", async () => {
  const { store, client, openSession } = stand();
  const sessions = [await openSession(), await openSession(), await openSession()] as const;
  const first = await acquireLock(client, { prefix, session: sessions[0] });
  const second = acquireLock(client, { prefix, session: sessions[1] });
  await eventually(async () => expect(await line(client)).toHaveLength(2));
  const third = acquireLock(client, { prefix, session: sessions[2] });
  await eventually(async () => expect(await line(client)).toHaveLength(3));
  store.endSession(sessions[1].id);
  await expect(second).rejects.toMatchObject({ code: "TENFOLD_COORDINATION_SESSION_LOST" });
  await first.release();
  expect((await third).session).toBe(sessions[2]);
});

test("a waiter whose own entry was removed fails instead of holding", async () => {
  const { client, openSession } = stand();
  const session = await openSession();
  await acquireLock(client, { prefix, session });
  const waiting = acquireLock(client, { prefix, session });
  await eventually(async () => expect(await line(client)).toHaveLength(2));
  const change = (await line(client)).map(({ key }) => ({ delete: key }));
  await client.transact({ change });
  await expect(waiting).rejects.toMatchObject({
    code: "TENFOLD_COORDINATION_PLACE_LOST",
    retryable: true,
  });
});

describe("who gives up waiting", () => {
  const late = { code: "TENFOLD_DEADLINE_EXCEEDED", retryable: true };

  test("leaves no entry behind: by time, by signal, or when it is not free", async () => {
    const clock = virtualClock();
    const { client, openSession } = stand();
    const session = await openSession();
    const held = await acquireLock(client, { prefix, session });
    const timed = acquireLock(client, { prefix, session, timeoutMs: 300, runtime: { clock } });
    const timing = expect(timed).rejects.toMatchObject(late);
    await clock.advance(301);
    await timing;
    await expect(acquireLock(client, { prefix, session, timeoutMs: 0 })).rejects.toMatchObject(
      late,
    );
    const { signal, abort } = aborting();
    const aborted = acquireLock(client, { prefix, session, signal });
    const failing = expect(aborted).rejects.toMatchObject({ code: "TENFOLD_ABORTED" });
    await eventually(async () => expect(await line(client)).toHaveLength(2));
    abort();
    await failing;
    await eventually(async () => expect(await line(client)).toHaveLength(1));
    await held.release();
    const free = await acquireLock(client, { prefix, session, timeoutMs: 0 });
    free.assertValid();
  });

  test("tries to leave until it succeeds: others would wait for ever", async () => {
    let failures = 5;
    const { client, openSession } = stand((inner) => ({
      ...inner,
      async transact(transaction, options) {
        if ("delete" in (transaction.change[0] ?? {}) && failures-- > 0) {
          if (failures % 2 === 0) return { outcome: "indeterminate", cause: "lost" };
          throw new TenfoldError("TENFOLD_COORDINATION_UNAVAILABLE", "away");
        }
        return await inner.transact(transaction, options);
      },
    }));
    const session = await openSession();
    const held = await acquireLock(client, { prefix, session });
    const next = acquireLock(client, { prefix, session });
    await held.release();
    await next;
    expect(failures).toBeLessThan(0);
  });
});

test("a coordinator that is away for a while costs the waiter nothing", async () => {
  let isAway = false;
  const { client, openSession } = stand((inner) => ({
    ...inner,
    async list(folder, options) {
      if (isAway) throw new TenfoldError("TENFOLD_COORDINATION_UNAVAILABLE", "away");
      return await inner.list(folder, options);
    },
  }));
  const session = await openSession();
  isAway = true;
  const waiting = acquireLock(client, { prefix, session });
  await eventually(async () => expect((await client.get(`${prefix}x`)) ?? null).toBeNull());
  await new Promise((done) => setTimeout(done, 100));
  isAway = false;
  (await waiting).assertValid();
});

test("a lost session aborts what it held", async () => {
  const { store, client, openSession } = stand();
  const session = await openSession();
  const lock = await acquireLock(client, { prefix, session });
  store.endSession(session.id);
  expect(lock.signal.aborted).toBe(true);
  expect(lock.assertValid).toThrow();
  const acting = lock.effect(coordinatorFence(client), async (transact) =>
    transact({ change: [{ put: "/data", value: "late" }] }),
  );
  await expect(acting).rejects.toMatchObject({ code: "TENFOLD_COORDINATION_SESSION_LOST" });
  await lock.release();
});

test("after its release a lock is good for nothing", async () => {
  const { client, openSession } = stand();
  const session = await openSession();
  const lock = await acquireLock(client, { prefix, session });
  await lock.release();
  expect(() => lock.assertValid()).toThrow(expect.objectContaining(released));
  await expect(lock.effect({ unfenced: "a test" }, async () => 1)).rejects.toMatchObject(released);
});
const released = { code: "TENFOLD_COORDINATION_RELEASED" };

describe("effects", () => {
  /** A holder that does not know yet that its session is over, as after a pause. */
  async function lateHolder(): Promise<{ client: Coordinator; lock: Hold }> {
    const { store, client } = stand();
    const real = await client.openSession({ ttlMs: 5_000 });
    const unaware = {
      ...{ id: real.id, state: "active" as const, validUntil: Number.POSITIVE_INFINITY },
      ...{ signal: new AbortController().signal, assertValid() {}, close: () => real.close() },
    };
    const lock = await acquireLock(client, { prefix, session: unaware });
    store.endSession(real.id);
    const next = await acquireLock(client, {
      prefix,
      session: await client.openSession({ ttlMs: 5_000 }),
    });
    expect(next.token > lock.token).toBe(true);
    return { client, lock };
  }
  const change = [{ put: "/data", value: "late" }];

  test("of a late holder do not come about behind the coordinator's fence", async () => {
    const { client, lock } = await lateHolder();
    const acting = lock.effect(coordinatorFence(client), (transact) => transact({ change }));
    await expect(acting).rejects.toMatchObject({
      code: "TENFOLD_COORDINATION_FENCED",
      details: { token: lock.token },
    });
    expect(await client.get("/data")).toBeUndefined();
    // From then on it knows.
    expect(lock.signal.aborted).toBe(true);
    expect(() => lock.assertValid()).toThrow();
  });

  test("of a late holder do come about without it", async () => {
    const { client, lock } = await lateHolder();
    const warned: unknown[] = [];
    await lock.effect({ unfenced: "to show what happens" }, () => client.transact({ change }));
    expect(await client.get("/data")).toMatchObject({ value: "late" });
    expect(warned).toEqual([]);
  });

  test("keep the caller's own conditions and reads", async () => {
    const { client, openSession } = stand();
    const lock = await acquireLock(client, { prefix, session: await openSession() });
    const guard = coordinatorFence(client);
    await client.transact({ change: [{ put: "/data", value: "1" }] });
    const when = [{ key: "/data", is: "absent" as const }];
    const otherwiseRead = ["/data"];
    const refused = await lock.effect(guard, (transact) =>
      transact({ when, change, otherwiseRead }),
    );
    expect(refused).toMatchObject({ outcome: "refused", reads: [{ key: "/data", value: "1" }] });
    const applied = await lock.effect(guard, (transact) => transact({ change }));
    expect(applied.outcome).toBe("applied");
  });

  test("without a guard want a reason, and are told when they outlived their lock", async () => {
    const { client, store, openSession } = stand();
    const warned: unknown[] = [];
    const log = { ...silentLog, warn: (_: string, fields?: object) => void warned.push(fields) };
    const session = await openSession();
    const lock = await acquireLock(client, { prefix, session, runtime: { log } });
    await expect(lock.effect({ unfenced: " " }, async () => 1)).rejects.toMatchObject({
      code: "TENFOLD_OPTION_INVALID",
    });
    expect(await lock.effect({ unfenced: "harmless twice" }, async () => 7)).toBe(7);
    expect(warned).toEqual([]);
    await lock.effect({ unfenced: "harmless twice" }, async (signal) => {
      store.endSession(session.id);
      expect(signal.aborted).toBe(true);
    });
    expect(warned).toMatchObject([{ reason: "harmless twice" }]);
  });
});

test.each([
  { prefix: "/locks/a" },
  { prefix: "/" },
  { prefix, timeoutMs: -1 },
  { prefix, value: "x".repeat(1_001) },
])("bad options are refused: %#", async (options) => {
  const { client, openSession } = stand();
  const session = await openSession();
  await expect(acquireLock(client, { ...options, session })).rejects.toMatchObject({
    code: "TENFOLD_OPTION_INVALID",
  });
});

function aborting() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}
