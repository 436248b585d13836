import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createMemoryCoordinator } from "../engines/memory/index.ts";
import { fileWorkerRecords } from "../identifiers/file-worker-records.ts";
import type { IdGenerator } from "../identifiers/id-generator.ts";
import type { LeasedWorker } from "../identifiers/lease-keeper.ts";
import { createLeasedIds, type LeasedIds } from "../identifiers/leased-ids.ts";
import { decodeSnowflake, snowflake } from "../identifiers/snowflake.ts";
import type { WorkerRecords } from "../identifiers/worker-records.ts";
import { isTenfoldError } from "../runtime/errors.ts";
import { silentLog } from "../runtime/log.ts";
import { type Random, seededRandom } from "../runtime/random.ts";
import {
  type Clock,
  coordinatorSite,
  fileSite,
  memoryStorage,
  prefix,
  type Site,
} from "../testing/number-site.fixture.ts";
import { coordinatorWorkerRecords } from "./worker-records.ts";

const windowMs = 400;

/** Records behind a bad line: calls fail before or after they took effect, or take effect late. */
function unreliable(inner: WorkerRecords, clock: Clock, random: Random, gate: () => Promise<void>) {
  const down = () => new Error("down");
  const records: WorkerRecords = {
    async list(options) {
      await gate();
      if (random.below(10) === 0) throw down();
      const listed = await inner.list(options);
      await gate();
      return listed;
    },
    async replace(replacement, options) {
      await gate();
      const luck = random.below(10);
      if (luck === 0) throw down();
      if (luck === 1) {
        clock.setTimer(random.below(1_000), () => void inner.replace(replacement).catch(() => {}));
        throw down();
      }
      const outcome = await inner.replace(replacement, options);
      await gate();
      if (luck === 2) throw down();
      return outcome;
    },
  };
  return records;
}

interface Process {
  ids: LeasedIds<IdGenerator>;
  resume: () => void;
  paused: boolean;
  offsetMs: number;
  loseSession(): Promise<void>;
}

/** What a canary breaks. */
type Sabotage = (records: WorkerRecords) => WorkerRecords;

/** Several processes under few numbers; remembers every id and says when one comes again. */
function world(site: Site, seed: string, sabotage: Sabotage = (records) => records) {
  const random = seededRandom(seed);
  const { clock } = site;
  const seen = new Set<bigint>();
  const duplicates: bigint[] = [];
  const processes: Process[] = [];
  const start = async (): Promise<void> => {
    const { records, loseSession } = await site.join();
    let opened = Promise.resolve();
    let open = (): void => {};
    const process: Process = {
      ids: undefined as never,
      paused: false,
      resume: () => {},
      offsetMs: 0,
      loseSession,
    };
    process.resume = () => {
      process.paused = false;
      open();
    };
    const gate = (): Promise<void> => {
      if (!process.paused) return Promise.resolve();
      opened = new Promise((resolve) => {
        const before = open;
        open = () => {
          before();
          resolve();
        };
      });
      return opened;
    };
    const stepped = { ...clock, wallNow: () => clock.wallNow() + process.offsetMs };
    process.ids = createLeasedIds({
      records: unreliable(sabotage(records), clock, random, gate),
      generator: (lease) => snowflake(lease),
      owner: `process-${processes.length}`,
      workers: 2,
      windowMs,
      runtime: { clock: stepped, random, log: silentLog },
    });
    processes.push(process);
    await clock.advance(10);
  };
  const burst = ({ ids, paused }: Process, calls: number): void => {
    const last = new Map<number, bigint>();
    for (let call = 0; call < calls && !paused; call++) {
      try {
        const id = ids.use((generator, wallMs, beforeMs) => generator.next(wallMs, beforeMs));
        if (seen.has(id)) duplicates.push(id);
        seen.add(id);
        const { worker } = decodeSnowflake(id);
        if (id <= (last.get(worker) ?? -1n)) throw new Error(`${id} does not grow`);
        last.set(worker, id);
      } catch (error) {
        if (isTenfoldError(error)) return;
        throw error;
      }
    }
  };
  return { clock, processes, duplicates, seen, start, burst };
}

const moves = fc.array(
  fc.record({
    which: fc.nat(3),
    calls: fc.oneof(fc.nat(50), fc.nat(5_000)),
    waitMs: fc.oneof(fc.nat(20), fc.nat(1_500)),
    action: fc.oneof(
      { weight: 4, arbitrary: fc.constant("burst" as const) },
      {
        weight: 3,
        arbitrary: fc.constantFrom("pause", "resume", "crash", "close", "session" as const),
      },
      { weight: 2, arbitrary: fc.constantFrom(-3_600_000, 3_600_000, -15, 15, -700, 700) },
    ),
  }),
  { minLength: 5, maxLength: 30 },
);
type Move = typeof moves extends fc.Arbitrary<readonly (infer One)[]> ? One : never;

async function play(site: Site, seed: string, all: readonly Move[], sabotage?: Sabotage) {
  const { clock, processes, start, burst, duplicates, seen } = world(site, seed, sabotage);
  for (let index = 0; index < 3; index++) await start();
  for (const { which, calls, waitMs, action } of all) {
    const process = processes[which % processes.length] as Process;
    if (typeof action === "number") process.offsetMs += action;
    if (action === "pause") process.paused = true;
    if (action === "session") await process.loseSession();
    if (action === "close" || action === "crash") {
      processes.splice(processes.indexOf(process), 1);
      if (action === "crash") {
        // Never heard of again; the coordinator notices in its own time.
        process.paused = true;
        clock.setTimer(600, () => void process.loseSession());
      } else if (!process.paused) {
        void process.ids.close();
      }
      await start();
    }
    if (action === "resume") {
      for (const one of processes) one.resume();
      for (const one of processes) burst(one, calls);
    }
    burst(process, calls);
    await clock.advance(waitMs);
    for (const one of processes) burst(one, 20);
  }
  return { duplicates, made: seen.size };
}

describe.each<[string, () => Site]>([
  ["in the coordinator", coordinatorSite],
  ["in a folder", fileSite],
])("worker numbers on record %s", (_, makeSite) => {
  test("no id twice, whatever clocks, pauses, crashes, sessions and lost answers do", async () => {
    let ids = 0;
    await fc.assert(
      fc.asyncProperty(moves, fc.string(), async (all, seed) => {
        const { duplicates, made } = await play(makeSite(), seed, all);
        expect(duplicates).toEqual([]);
        ids += made;
      }),
      { numRuns: 25 },
    );
    expect(ids).toBeGreaterThan(100_000);
  }, 30_000);

  const forgetful = (records: WorkerRecords): WorkerRecords => ({
    list: async () => (await records.list()).map((each) => ({ ...each, held: false })),
    async replace(replacement) {
      const current = (await records.list()).find(({ worker }) => worker === replacement.worker);
      const { purpose } = replacement;
      const forced = purpose === "claim" ? "keep" : purpose;
      return await records.replace({ ...replacement, version: current?.version, purpose: forced });
    },
  });
  test("without compare-and-set the same play finds ids twice", async () => {
    let found = 0;
    for (const [index, all] of fc.sample(moves, { numRuns: 60, seed: 7 }).entries()) {
      if (found > 0) break;
      found += (await play(makeSite(), String(index), all, forgetful)).duplicates.length;
    }
    expect(found).toBeGreaterThan(0);
  }, 30_000);

  test.each<[string, boolean, (lease: LeasedWorker) => IdGenerator]>([
    ["where the last window ended repeats no id", false, (lease) => snowflake(lease)],
    [
      "at its own clock, which is behind, repeats some",
      true,
      ({ worker, aheadMsMax }) => snowflake({ worker, aheadMsMax }),
    ],
  ])("who takes over from the dead and begins %s", async (_what, repeats, generator) => {
    const { clock, join } = makeSite();
    const ids: bigint[] = [];
    for (const offsetMs of [0, -20]) {
      const { records, loseSession } = await join();
      let dead = false;
      const leased = createLeasedIds({
        records: unreliable(records, clock, { ...seededRandom("calm"), below: () => 9 }, () =>
          dead ? new Promise(() => {}) : Promise.resolve(),
        ),
        generator,
        owner: "one",
        workers: 1,
        windowMs,
        runtime: {
          clock: { ...clock, wallNow: () => clock.wallNow() + offsetMs },
          random: seededRandom(String(offsetMs)),
        },
      });
      await clock.advance(0);
      for (let call = 0; call < 50; call++) {
        ids.push(leased.use((made, wallMs, beforeMs) => made.next(wallMs, beforeMs)));
        await clock.advance(1);
      }
      dead = true;
      await loseSession();
    }
    expect(ids.length - new Set(ids).size > 0).toBe(repeats);
  });

  test("a number that was given up is taken over where its last id was", async () => {
    const site = makeSite();
    const { records } = await site.join();
    const lease = () =>
      createLeasedIds({
        records,
        generator: (leased) => snowflake(leased),
        owner: "one",
        workers: 1,
        windowMs: 60_000,
        runtime: { clock: site.clock, log: silentLog },
      });
    const first = lease();
    await site.clock.advance(0);
    const next = (ids: LeasedIds<IdGenerator>) =>
      ids.use((generator, wallMs, beforeMs) => generator.next(wallMs, beforeMs));
    const last = next(first);
    await first.close();
    expect((await records.list())[0]).toMatchObject({
      worker: 0,
      held: false,
      record: { epoch: 1, reservedUntilMs: decodeSnowflake(last).timeMs + 1 },
    });
    const second = lease();
    await site.clock.advance(0);
    expect(decodeSnowflake(next(second)).timeMs).toBe(decodeSnowflake(last).timeMs + 1);
    expect(() => next(first)).toThrow(
      expect.objectContaining({ code: "TENFOLD_IDENTIFIERS_LEASE_MISSING", retryable: true }),
    );
    await second.close();
  });
});

describe("records", () => {
  test("a record that another program wrote is refused with its place", async () => {
    const storage = memoryStorage();
    await storage.create("worker-numbers/0.000000000000001.json", '{"format":2}');
    await expect(fileWorkerRecords(storage).list()).rejects.toMatchObject({
      code: "TENFOLD_IDENTIFIERS_RECORD_INVALID",
      details: { where: "0.000000000000001.json" },
    });
    const coordinator = createMemoryCoordinator();
    await coordinator.transact({ change: [{ put: `${prefix}3/window`, value: "seven" }] });
    const session = () => {
      throw new Error("none");
    };
    await expect(
      coordinatorWorkerRecords(coordinator, { prefix, session }).list(),
    ).rejects.toMatchObject({ code: "TENFOLD_IDENTIFIERS_RECORD_INVALID" });
  });

  test("who slept while a version came and went does not bring it back", async () => {
    const storage = memoryStorage();
    const records = fileWorkerRecords(storage);
    const record = { owner: "a", epoch: 1, reservedUntilMs: 5 };
    const put = (version: bigint | undefined) =>
      records.replace({ worker: 0, version, record, purpose: "keep" });
    expect(await put(undefined)).toEqual({ replaced: true, version: 1n });
    expect(await put(1n)).toEqual({ replaced: true, version: 2n });
    expect(await put(2n)).toEqual({ replaced: true, version: 3n });
    expect(storage.files.size).toBe(1);
    expect(await put(1n)).toMatchObject({ replaced: false, current: { version: 3n } });
    expect([...storage.files.keys()]).toEqual(["worker-numbers/0.000000000000003.json"]);
  });
});
