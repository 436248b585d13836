import { expect, test } from "vitest";
import { createMemoryCoordinator } from "../engines/memory/index.ts";
import { createLeasedIds } from "../identifiers/leased-ids.ts";
import { snowflake } from "../identifiers/snowflake.ts";
import { claimWorker } from "../identifiers/worker-lease.ts";
import type { WorkerRecords } from "../identifiers/worker-records.ts";
import { isTenfoldError } from "../runtime/errors.ts";
import { silentLog } from "../runtime/log.ts";
import { seededRandom } from "../runtime/random.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";
import { coordinatorSite, prefix } from "../testing/number-site.fixture.ts";
import type { Coordinator, Session } from "./coordinator.ts";
import { raiseGeneration } from "./generation.ts";
import { coordinatorWorkerRecords } from "./worker-records.ts";

const windowMs = 400;
/** Records that do not say when they were put back: what a canary breaks. */
const forgetful = ({ list, replace }: WorkerRecords): WorkerRecords => ({ list, replace });

test.each([
  ["known, so times begin after what was reserved", false],
  ["not known, which repeats ids", true],
])("an older backup was put back, and when is %s", async (_what, repeats) => {
  const site = coordinatorSite();
  const { clock } = site;
  const lease = (records: WorkerRecords) =>
    createLeasedIds({
      records,
      generator: (leased) => snowflake(leased),
      owner: "one",
      workers: 1,
      windowMs,
      runtime: { clock, random: seededRandom("restore"), log: silentLog },
    });
  const { records } = await site.join();
  let gone = false;
  const reached = <Result>(call: () => Promise<Result>): Promise<Result> =>
    gone ? Promise.reject(new Error("down")) : call();
  const before = lease({
    list: (options) => reached(() => records.list(options)),
    replace: (replacement, options) => reached(() => records.replace(replacement, options)),
  });
  await clock.advance(500);
  // Of this holder the backup knows nothing.
  gone = true;
  const restored = createMemoryCoordinator({ runtime: { clock } });
  await raiseGeneration(restored, clock.wallNow());
  const session = await restored.openSession({ ttlMs: 6_000 });
  const known = coordinatorWorkerRecords(restored, { prefix, session: () => session });
  const after = lease(repeats ? forgetful(known) : known);
  const ids: bigint[] = [];
  for (let ms = 0; ms < 2_000; ms++) {
    await clock.advance(1);
    for (const each of [before, after]) {
      try {
        ids.push(each.use((generator, wallMs, beforeMs) => generator.next(wallMs, beforeMs)));
      } catch (error) {
        if (!isTenfoldError(error)) throw error;
      }
    }
  }
  expect(ids.length).toBeGreaterThan(2_000);
  expect(ids.length - new Set(ids).size > 0).toBe(repeats);
});

test.each([
  ["known, so it is lost", false],
  ["not known, and it is kept", true],
])(
  "a holder that slept over its successor and the restore; when that was is %s",
  async (_what, kept) => {
    const clock = virtualClock({ wallStartMs: Date.UTC(2026, 0, 1) });
    const wallMs = clock.wallNow();
    const made = createMemoryCoordinator({ runtime: { clock } });
    let current: Coordinator = made;
    let session: Session = await made.openSession({ ttlMs: 6_000 });
    const line: Pick<Coordinator, "get" | "list" | "transact"> = {
      get: (...call) => current.get(...call),
      list: (...call) => current.list(...call),
      transact: (...call) => current.transact(...call),
    };
    const honest = coordinatorWorkerRecords(line, { prefix, session: () => session });
    const records = kept ? forgetful(honest) : honest;
    const claim = { count: 1, wallMs, windowMs };
    const sleeper = await claimWorker(records, { ...claim, owner: "sleeper" });
    const [backup] = (await made.list(`${prefix}0/window`)).entries;
    await session.close();
    session = await made.openSession({ ttlMs: 6_000 });
    const successor = await claimWorker(records, { ...claim, owner: "successor" });
    expect(successor).toMatchObject({ worker: 0, fromMs: sleeper.reservedUntilMs });

    const restored = createMemoryCoordinator({ runtime: { clock } });
    const { key = "", value = "", revision } = backup ?? {};
    await restored.transact({ change: [{ put: key, value }] });
    expect((await restored.get(key))?.revision).toBe(revision);
    await raiseGeneration(restored, wallMs);
    current = restored;
    session = await restored.openSession({ ttlMs: 6_000 });
    const outcome = sleeper.reserve(wallMs + 2 * windowMs).then(
      () => "kept",
      (error: { code: string }) => error.code,
    );
    expect(await outcome).toBe(kept ? "kept" : "TENFOLD_IDENTIFIERS_LEASE_LOST");
  },
);
