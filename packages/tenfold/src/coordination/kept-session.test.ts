import { expect, test } from "vitest";

import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { memoryStore } from "../engines/memory/store.ts";
import { TenfoldError } from "../runtime/errors.ts";
import { seededRandom } from "../runtime/random.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";
import type { Session } from "./coordinator.ts";
import { createKeptSession } from "./kept-session.ts";

test("opens another session after a loss and tells the listeners", async () => {
  const store = memoryStore();
  const coordinator = createMemoryCoordinator({ store });
  const clock = virtualClock();
  const kept = createKeptSession(coordinator, { runtime: { clock, random: seededRandom("k") } });
  const told: string[] = [];
  kept.onOpen((session) => void told.push(session.id));

  const first = await kept.opened();
  store.endSession(first.id);
  expect(first.state).toBe("lost");
  expect(first.assertValid).toThrow();
  await clock.advance(3_000);
  const second = await kept.opened();
  expect(second.id).not.toBe(first.id);
  expect(told).toEqual([first.id, second.id]);

  await kept.close();
  expect(second.state).toBe("closed");
  expect(kept.current).toBeUndefined();
  await expect(kept.opened()).rejects.toMatchObject({ code: "TENFOLD_COORDINATION_CLOSED" });
});

test("goes on trying while the coordinator is away, with growing waits", async () => {
  const clock = virtualClock();
  const coordinator = createMemoryCoordinator({ runtime: { clock } });
  const tries: number[] = [];
  const openSession = async (): Promise<Session> => {
    tries.push(clock.now());
    if (clock.now() < 8_000) throw new TenfoldError("TENFOLD_COORDINATION_UNAVAILABLE", "away");
    return coordinator.openSession({ ttlMs: 5_000 });
  };
  const kept = createKeptSession(
    { openSession },
    { runtime: { clock, random: seededRandom("k") } },
  );
  await clock.advance(12_000);
  expect(kept.current?.state).toBe("active");
  expect(tries.length).toBeGreaterThan(5);
  expect(tries.length).toBeLessThan(20);
  await kept.close();
});
