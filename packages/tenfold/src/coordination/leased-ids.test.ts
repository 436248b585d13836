import { describe, expect, test } from "vitest";
import type { IdGenerator } from "../identifiers/id-generator.ts";
import { createLeasedIds } from "../identifiers/leased-ids.ts";
import { decodeSnowflake, snowflake } from "../identifiers/snowflake.ts";
import type { WorkerRecords } from "../identifiers/worker-records.ts";
import { silentLog } from "../runtime/log.ts";
import { seededRandom } from "../runtime/random.ts";
import { createRegistry } from "../telemetry/registry.ts";
import { coordinatorSite } from "../testing/number-site.fixture.ts";

describe("leased ids", () => {
  async function one(broken: () => boolean = () => false) {
    const site = coordinatorSite();
    const { clock } = site;
    const { records: inner } = await site.join();
    const check = async (): Promise<void> => {
      if (broken()) throw new Error("down");
    };
    const records: WorkerRecords = {
      list: (options) => check().then(() => inner.list(options)),
      replace: (replacement, options) => check().then(() => inner.replace(replacement, options)),
    };
    const metrics = createRegistry({ clock });
    let offsetMs = 0;
    const ids = createLeasedIds({
      records,
      generator: (lease) => snowflake(lease),
      owner: "one",
      workers: 4,
      windowMs: 1_000,
      runtime: {
        clock: { ...clock, wallNow: () => clock.wallNow() + offsetMs },
        random: seededRandom("one"),
        log: silentLog,
      },
      metrics,
    });
    await clock.advance(0);
    const next = () => ids.use((generator, wallMs, beforeMs) => generator.next(wallMs, beforeMs));
    const timeOf = () => decodeSnowflake(next()).timeMs - clock.wallNow();
    const step = (ms: number): void => {
      offsetMs += ms;
    };
    const metric = (name: string) =>
      metrics.read().find((each) => each.name === `tenfold_identifiers_${name}`)?.samples[0]?.value;
    return { clock, ids, inner, next, timeOf, step, metric, site };
  }
  const missing = expect.objectContaining({
    code: "TENFOLD_IDENTIFIERS_LEASE_MISSING",
    retryable: true,
  });

  test("go on to the end of the window without the records, then fail, then recover", async () => {
    let down = false;
    const { clock, next, metric } = await one(() => down);
    down = true;
    await clock.advance(990);
    next();
    await clock.advance(10);
    expect(next).toThrow(missing);
    expect(metric("window_left_seconds")).toBe(0);
    down = false;
    await clock.advance(2_500);
    next();
    expect(metric("claims_total")).toBe(1);
  });

  test("a clock that leaps ahead, or is set back, stops nothing", async () => {
    const { clock, next, timeOf, step, metric } = await one();
    expect(timeOf()).toBe(0);
    step(3_600_000);
    // More time is not reserved yet: ids go on at the pace of before.
    expect(timeOf()).toBeLessThan(1_000);
    await clock.advance(200);
    expect(timeOf()).toBe(3_600_000);
    step(-3_600_000);
    for (let call = 0; call < 10_000; call++) next();
    expect(metric("ahead_seconds")).toBeGreaterThan(3_599);
    expect(metric("borrowed_total")).toBeGreaterThan(9_999);
    await clock.advance(3_599_000);
    expect(timeOf()).toBeGreaterThan(0);
    await clock.advance(2_000);
    expect(timeOf()).toBe(0);
  });

  test("after a step back, ids can be made for as long as it takes, at the usual rate", async () => {
    const { clock, next, step } = await one();
    step(-3_600_000);
    let made = 0;
    for (let second = 0; second < 5; second++) {
      for (let call = 0; call < 1_000_000; call++) {
        next();
        made += 1;
      }
      await clock.advance(1_000);
    }
    expect(made).toBe(5_000_000);
  });

  test("a clock that leapt ahead of all the others is not followed", async () => {
    const { clock, timeOf, step, site } = await one();
    for (let peer = 0; peer < 2; peer++) {
      const { records } = await site.join();
      createLeasedIds({
        records,
        generator: (lease) => snowflake(lease),
        owner: "peer",
        workers: 4,
        windowMs: 1_000,
        runtime: { clock, log: silentLog },
      });
    }
    await clock.advance(100);
    timeOf();
    step(3_600_000);
    for (let second = 0; second < 20; second++) {
      await clock.advance(1_000);
      expect(timeOf()).toBeLessThan(2_000);
    }
    step(-3_600_000);
    await clock.advance(1_000);
    expect(timeOf()).toBeLessThan(2_000);
  });

  test("a process that starts with a clock ahead of two others begins at their time", async () => {
    const { site, clock } = await one();
    const start = async (offsetMs: number) => {
      const { records } = await site.join();
      const ids = createLeasedIds({
        records,
        generator: (lease) => snowflake(lease),
        owner: "peer",
        workers: 4,
        windowMs: 1_000,
        runtime: { clock: { ...clock, wallNow: () => clock.wallNow() + offsetMs } },
      });
      await clock.advance(0);
      return ids;
    };
    await start(0);
    const wrong = await start(3_600_000);
    for (let second = 0; second < 20; second++) {
      const id = wrong.use((generator, wallMs, beforeMs) => generator.next(wallMs, beforeMs));
      expect(Math.abs(decodeSnowflake(id).timeMs - clock.wallNow())).toBeLessThan(1_001);
      await clock.advance(1_000);
    }
  });

  test("wait when they are asked for faster than there are numbers", async () => {
    const { clock, ids, metric } = await one();
    const take = (generator: IdGenerator, wallMs: number, beforeMs: number) =>
      generator.take(1_000_000, wallMs, beforeMs);
    let free = true;
    while (free) {
      try {
        ids.use(take);
      } catch {
        free = false;
      }
    }
    // A second of one's own clock ahead, and no more.
    expect(ids.status().aheadMs).toBe(999);
    const waiting = ids.whenFree(take);
    const aborted = ids.whenFree(take, { signal: AbortSignal.abort() });
    await expect(aborted).rejects.toMatchObject({ code: "TENFOLD_ABORTED" });
    await clock.advance(500);
    expect((await waiting).length).toBeGreaterThan(0);
    expect(metric("waits_total")).toBeGreaterThan(1);
  });

  test("a number that another took is let go, and another one claimed", async () => {
    const { clock, ids, inner, next, metric } = await one();
    const last = next();
    const [mine] = await inner.list();
    if (mine === undefined) throw new Error("nothing on record");
    const record = { ...mine.record, owner: "thief", epoch: 2 };
    await inner.replace({ worker: 0, version: mine.version, record, purpose: "keep" });
    await clock.advance(2_000);
    expect(ids.status().worker).toBe(1);
    expect(next()).toBeGreaterThan(last);
    expect(metric("lost_total")).toBe(1);
    expect(metric("claims_total")).toBe(2);
  });

  test("all numbers held: says so until one is free", async () => {
    const site = coordinatorSite();
    const make = async () => {
      const { records } = await site.join();
      const runtime = { clock: site.clock, log: silentLog };
      const generator = (lease: Parameters<typeof snowflake>[0]) => snowflake(lease);
      const ids = createLeasedIds({ records, generator, owner: "x", workers: 2, runtime });
      await site.clock.advance(0);
      return ids;
    };
    const [first, , third] = [await make(), await make(), await make()];
    await site.clock.advance(10_000);
    expect(third.status().worker).toBeUndefined();
    expect(() => third.use(() => 1)).toThrow(missing);
    await first.close();
    await site.clock.advance(5_000);
    expect(third.status().worker).toBe(0);
  });

  test.each([{ windowMs: 99 }, { workers: 0 }, { workers: 1.5 }])("refuses %j", (options) => {
    const all = { records: {} as WorkerRecords, generator: snowflake, owner: "x", workers: 1 };
    expect(() => createLeasedIds({ ...all, ...options })).toThrow(
      expect.objectContaining({ code: "TENFOLD_OPTION_INVALID" }),
    );
  });
});
