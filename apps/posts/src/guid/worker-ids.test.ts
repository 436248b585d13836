import fc from "fast-check";
import type { Coordinator, Session } from "tenfold/coordination";
import { createMemoryCoordinator, memoryStore } from "tenfold/engines/memory";
import { decodeSnowflake } from "tenfold/identifiers";
import { seededRandom, silentLog } from "tenfold/runtime";
import { virtualClock } from "tenfold/simulation";
import { afterEach, expect, test } from "vitest";

import { createWorkerIds, type WorkerIds } from "./worker-ids.ts";

const opened: WorkerIds[] = [];
afterEach(async () => {
  for (const ids of opened.splice(0)) void ids.close();
});

/** A host: one clock, one coordinator, and processes whose sessions live for `validMs` only. */
function host() {
  const clock = virtualClock({ wallStartMs: Date.UTC(2026, 0, 1) });
  const store = memoryStore();
  let offsetMs = 0;
  const stepped = { ...clock, wallNow: () => clock.wallNow() + offsetMs };
  const runtime = { clock: stepped, random: seededRandom("guid"), log: silentLog };
  const start = async (validMs: number) => {
    const coordinator: Coordinator = createMemoryCoordinator({ store, runtime });
    const open = async (forMs: number): Promise<Session> => {
      const inner = await coordinator.openSession({ ttlMs: 6_000 });
      const validUntil = clock.now() + forMs;
      const lost = Object.assign(new Error("lost"), { code: "TENFOLD_COORDINATION_SESSION_LOST" });
      const assertValid = (): void => {
        inner.assertValid();
        if (clock.now() >= validUntil) throw lost;
      };
      return { ...inner, id: inner.id, signal: inner.signal, validUntil, assertValid };
    };
    let session = await open(validMs);
    const ids = createWorkerIds({ fleet: "test", coordinator, session: () => session, runtime });
    opened.push(ids);
    await clock.advance(0);
    return {
      ids,
      /** What the server does when renewals stop, never before the holder's own end. */
      async expire() {
        if (clock.now() < session.validUntil) await clock.advance(session.validUntil - clock.now());
        store.endSession(session.id);
        await clock.advance(0);
      },
      async reopen() {
        session = await open(60_000);
        await clock.advance(10_000);
      },
    };
  };
  const stepWall = (ms: number): void => {
    offsetMs += ms;
  };
  return { clock, start, stepWall };
}

test("processes hold different numbers; a number that is free again is taken", async () => {
  const { start } = host();
  const [first, second] = [await start(1_000), await start(1_000)];
  expect([first.ids.worker, second.ids.worker]).toEqual([0, 1]);
  expect(decodeSnowflake(second.ids.next()).worker).toBe(1);
  await first.ids.close();
  expect((await start(1_000)).ids.worker).toBe(0);
});

test("refuses from the end of its session on, claims again, never goes back", async () => {
  const { start, stepWall } = host();
  const process = await start(50);
  const last = process.ids.next();
  await process.expire();
  expect(() => process.ids.next()).toThrow(
    expect.objectContaining({ code: "POSTS_GUID_NO_WORKER", status: 503 }),
  );
  stepWall(-15_000);
  await process.reopen();
  expect(process.ids.worker).toBe(0);
  expect(process.ids.next()).toBeGreaterThan(last);
});

test("a paused process does not use a number that was given to another", async () => {
  const { clock, start } = host();
  const paused = await start(50);
  await clock.advance(50);
  // Its own timers and messages have not come yet: only the comparison with the clock is left.
  expect(() => paused.ids.next()).toThrow(
    expect.objectContaining({ code: "POSTS_GUID_NO_WORKER" }),
  );
});

test("refuses while the wall clock is far behind its last id", async () => {
  const { start, stepWall } = host();
  const { ids } = await start(60_000);
  ids.next();
  stepWall(-9_000);
  ids.next();
  stepWall(-2_000);
  expect(() => ids.next()).toThrow(
    expect.objectContaining({ code: "TENFOLD_IDENTIFIERS_AHEAD", retryable: true }),
  );
});

test("no id twice, whoever holds the number: bursts, crashes, closes, lost sessions", async () => {
  const life = fc.record({
    validMs: fc.integer({ min: 1, max: 4 }),
    waitMs: fc.integer({ min: 0, max: 3 }),
    calls: fc.integer({ min: 1, max: 13_000 }),
    end: fc.constantFrom("crash", "close"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(life, { minLength: 2, maxLength: 5 }), async (lives) => {
      const { clock, start } = host();
      const seen = new Set<bigint>();
      for (const { validMs, waitMs, calls, end } of lives) {
        const process = await start(validMs);
        expect(process.ids.worker).toBe(0);
        await clock.advance(Math.min(waitMs, validMs - 0.5));
        burst(process.ids, calls, seen);
        if (end === "crash") await process.expire();
        else await closing(process.ids, clock);
      }
    }),
    { numRuns: 40 },
  );
});

function burst(ids: WorkerIds, calls: number, seen: Set<bigint>): void {
  for (let call = 0; call < calls; call++) {
    let id: bigint;
    try {
      id = ids.next();
    } catch (error) {
      expect(error).toMatchObject({ code: "TENFOLD_IDENTIFIERS_AHEAD" });
      return;
    }
    if (seen.has(id)) throw new Error(`${id} was there before`);
    seen.add(id);
  }
}

async function closing(ids: WorkerIds, clock: ReturnType<typeof virtualClock>): Promise<void> {
  let done = false;
  void ids.close().then(() => {
    done = true;
  });
  while (!done) await clock.advance(0.5);
}
