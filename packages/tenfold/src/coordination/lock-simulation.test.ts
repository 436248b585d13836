import { expect, test } from "vitest";

import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { memoryStore } from "../engines/memory/store.ts";
import { type Random, seededRandom } from "../runtime/random.ts";
import { type VirtualClock, virtualClock } from "../simulation/virtual-clock.ts";
import type { Coordinator, Session } from "./coordinator.ts";
import { fencedError } from "./coordinator-fence.ts";
import type { FenceGuard, Hold } from "./hold.ts";
import { acquireLock } from "./lock.ts";

const prefix = "/locks/sim/";
const lastsMs = 60_000;

/** A resource as every guard makes one: it remembers the greatest token beside the data. */
function resource() {
  const accepted: string[] = [];
  let greatest = "";
  const guard: FenceGuard<() => void> = {
    async run(claim, work) {
      return await work(() => {
        if (claim.token < greatest) throw fencedError(claim, greatest);
        greatest = claim.token;
        accepted.push(claim.token);
      });
    },
  };
  /** What the same writes would have done without the comparison. */
  const attempted: string[] = [];
  return { guard, accepted, attempted };
}

/** The server ends sessions at random; whoever has one learns of it late, as after a pause. */
function ignorant(real: Session): Session {
  const known = new AbortController();
  return {
    id: real.id,
    state: "active",
    validUntil: Number.POSITIVE_INFINITY,
    signal: known.signal,
    assertValid: () => known.signal.throwIfAborted(),
    close: async () => {
      known.abort();
      await real.close();
    },
  };
}

interface Ground {
  readonly clock: VirtualClock;
  readonly client: Coordinator;
  readonly target: ReturnType<typeof resource>;
  readonly turns: Map<number, number>;
}

async function live(ground: Ground, random: Random, who: number): Promise<void> {
  const { clock, client, turns } = ground;
  while (clock.now() < lastsMs) {
    const session = ignorant(await client.openSession({ ttlMs: 5_000 }));
    const runtime = { clock, random };
    // Long enough to be frozen for; then it does find out.
    const finding = clock.sleep(1_000 + random.below(4_000)).then(() => session.close());
    try {
      const held = await acquireLock(client, { prefix, session, runtime, timeoutMs: 20_000 });
      turns.set(who, (turns.get(who) ?? 0) + 1);
      await work(ground, random, held);
      await held.release();
    } catch {
      // The session was found to be over, or the resource refused: begin again.
    }
    await session.close();
    await finding;
  }
}

async function work({ clock, target }: Ground, random: Random, held: Hold): Promise<void> {
  for (let writes = random.below(6); writes >= 0; writes--) {
    await held.effect(target.guard, async (write) => {
      await clock.sleep(random.below(2_000));
      target.attempted.push(held.token);
      write();
    });
  }
}

async function simulate(seed: string) {
  const clock = virtualClock();
  const store = memoryStore();
  const random = seededRandom(seed);
  const client = createMemoryCoordinator({ store, runtime: { clock, random } });
  const target = resource();
  const turns = new Map<number, number>();
  const chaos = async (): Promise<void> => {
    while (clock.now() < lastsMs) {
      await clock.sleep(200 + random.below(1_500));
      const { entries } = await client.list(prefix);
      const [first] = entries.toSorted((a, b) => (a.createRevision < b.createRevision ? -1 : 1));
      if (first?.sessionId !== undefined) store.endSession(first.sessionId);
    }
  };
  const living = [1, 2, 3, 4].map((who) =>
    live({ clock, client, target, turns }, random.fork(String(who)), who),
  );
  const all = Promise.all([chaos(), ...living]);
  await clock.advance(lastsMs + 60_000);
  await all;
  return { ...target, turns, left: (await client.list(prefix)).entries.length };
}

test("whatever is frozen when, the resource accepts tokens in order, and work goes on", async () => {
  let disordered = 0;
  for (let seed = 0; seed < 8; seed++) {
    const { accepted, attempted, turns, left } = await simulate(`lock-${seed}`);
    expect(accepted, `seed ${seed}`).toEqual(accepted.toSorted());
    expect(new Set(accepted).size, `seed ${seed}`).toBeGreaterThan(10);
    expect(turns.size, `seed ${seed}`).toBe(4);
    expect(left, `seed ${seed}`).toBe(0);
    if (String(attempted) !== String(attempted.toSorted())) disordered++;
  }
  // The canary: without the comparison the same runs are wrong.
  expect(disordered).toBeGreaterThan(4);
}, 30_000);
