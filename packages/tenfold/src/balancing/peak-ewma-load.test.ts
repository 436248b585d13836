import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { seededRandom } from "../runtime/random.ts";
import type { HostMeter, PoolMeter } from "./load-measure.ts";
import { peakEwmaLoad } from "./peak-ewma-load.ts";
import { hosts, pool } from "./pool.fixture.ts";

const none = Number.POSITIVE_INFINITY;

/** Answers of `other`, which takes ten milliseconds, so that there is a mean. */
function pace(meter: PoolMeter, fromMs: number, toMs: number): HostMeter {
  const other = meter.host();
  for (let now = fromMs; now < toMs; now += 10) other.record(now, "success", 10, 0);
  return other;
}

describe("load", () => {
  it("is latency times calls, plus a penalty that grows with the square of the strain", () => {
    const meter = peakEwmaLoad()();
    const host = pace(meter, 0, 1_000);
    expect(host.load(1_000, 0)).toBeCloseTo(10, 1);
    expect(host.load(1_000, 3)).toBeCloseTo(40, 1);
    host.record(1_000, "failure", 1, 0.2);
    expect(host.load(1_000, 0)).toBeCloseTo(10 + 200 * 0.04, 1);
    host.record(1_000, "failure", 1, 1);
    expect(host.load(1_000, 0)).toBeCloseTo(10 + 200, 1);
    host.record(1_000, "success", 10, 0);
    expect(host.load(1_000, 0)).toBeCloseTo(10, 1);
  });

  it("of an unknown host lets one call in, and another one when that hung for two minutes", () => {
    const host = peakEwmaLoad()().host();
    expect([host.load(0, 0), host.idleLoad?.(0)]).toEqual([0, 0]);
    host.began?.(0);
    expect([host.load(119_999, 1), host.load(120_000, 1)]).toEqual([none, 0]);
    host.began?.(120_000);
    expect(host.load(120_001, 2)).toBe(none);
    host.record(120_001, "cancelled", 5, 0);
    expect(host.load(120_001, 1)).toBe(10);
  });

  it("asks a slow host that failed, be the answers of the pool below a millisecond", () => {
    const meter = peakEwmaLoad()();
    const host = meter.host();
    const other = meter.host();
    other.record(0, "success", 0, 0);
    host.record(0, "success", 1_000, 0);
    host.record(1, "failure", 0, 1);
    const lateMs = 10_000_000;
    for (let i = 0; i < 1_000; i++) other.record(lateMs, "success", 0, 0);
    expect(host.load(lateMs, 0)).toBe(0);
    expect(host.idleLoad?.(lateMs)).toBeGreaterThanOrEqual(1_000);
  });

  it("follows a host that is alone: all others left, and it takes ten times as long as they", () => {
    const meter = peakEwmaLoad()();
    pace(meter, 0, 10_000);
    const left = meter.host();
    let patient = 0;
    for (let now = 10_000; now < 60_000; now += 10) {
      meter.placing?.(true);
      if (now > 30_000 && left.began?.(now) !== none) patient++;
      left.record(now, "success", 100, 0);
    }
    expect(patient).toBe(0);
    expect(left.load(60_000, 0)).toBeCloseTo(100, 0);
  });

  it("is a number from 0, never not one, whatever came", () => {
    const step = fc.record({
      host: fc.nat(2),
      outcome: fc.constantFrom("success" as const, "failure" as const, "cancelled" as const),
      latencyMs: fc.oneof(fc.constantFrom(0, 1e-300, 2 ** 53), fc.nat(100_000)),
      strain: fc.double({ min: 0, max: 1, noNaN: true }),
      waitMs: fc.oneof(fc.constant(0), fc.nat(1_000), fc.constant(1e12)),
      mayLeave: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const meter = peakEwmaLoad()();
        const three = [meter.host(), meter.host(), meter.host()];
        let now = 0;
        for (const { host, outcome, latencyMs, strain, waitMs, mayLeave } of steps) {
          now += waitMs;
          meter.placing?.(mayLeave);
          const patienceMs = three[host]?.began?.(now) ?? none;
          expect(patienceMs).toBeGreaterThanOrEqual(2);
          three[host]?.record(now, outcome, latencyMs, strain);
          for (const each of three) {
            expect(each.load(now, 1)).toBeGreaterThanOrEqual(0);
            expect(each.idleLoad?.(now)).toBeGreaterThanOrEqual(0);
          }
        }
      }),
    );
  });
});

it("the length of a stream is no latency, whoever ends it", () => {
  for (const end of ["cancelled", "failure"] as const) {
    const choice = pool(hosts(1));
    const stream = choice.pick(0);
    stream?.report(10, "success", 10);
    stream?.report(3_600_000, end, 3_600_000);
    stream?.release();
    const [view] = choice.view(3_600_000);
    expect(view?.latencyMs).toBeLessThanOrEqual(10);
    expect(view?.load).toBeLessThan(100);
    expect(view?.failures).toBe(end === "failure" ? 1 : 0);
  }
});

it("hosts that are alike all get their part, however their latencies vary", () => {
  const counts = fc.integer({ min: 2, max: 8 });
  const means = fc.integer({ min: 1, max: 500 });
  fc.assert(
    fc.property(counts, means, fc.string(), (count, meanMs, seed) => {
      const random = seededRandom(seed);
      const choice = pool(hosts(count), { random });
      const picks = new Map<string, number>();
      const open: { endsAt: number; end: () => void }[] = [];
      for (let at = 0; at < 8_000; at++) {
        while ((open[0]?.endsAt ?? none) <= at * 5) open.shift()?.end();
        const picked = choice.pick(at * 5, { mayProbe: true });
        if (picked === undefined) throw new Error("nobody was picked");
        const tookMs = -Math.log(1 - random.next()) * meanMs;
        const endsAt = at * 5 + tookMs;
        const end = (): void => {
          picked.report(endsAt, "success", tookMs);
          picked.release();
        };
        open.push({ endsAt, end });
        open.sort((a, b) => a.endsAt - b.endsAt);
        const { id } = picked.endpoint;
        if (at >= 4_000) picks.set(id, (picks.get(id) ?? 0) + 1);
      }
      for (const { id } of hosts(count)) {
        // One that had a long answer waits for seconds while others are idle.
        expect((picks.get(id) ?? 0) / 4_000).toBeGreaterThan(0.01 / count);
      }
    }),
    { numRuns: 15 },
  );
});

it("hosts that are alike again all get their part, whatever each of them took before", () => {
  const phase = fc.array(fc.constantFrom(0, 1, 10, 25, 60, 100, 1_000, 20_000), {
    minLength: 4,
    maxLength: 4,
  });
  fc.assert(
    fc.property(fc.array(phase, { maxLength: 5 }), fc.constantFrom(1, 10, 100), (phases, after) => {
      const choice = pool(hosts(4));
      const picks = new Map<string, number>();
      const open: { endsAt: number; end: () => void }[] = [];
      // Where answers do not vary, a thousandth more is seen as well: ten time constants and more.
      const changedMs = phases.length * 5_000;
      for (let now = 0; now < changedMs + 180_000; now += 5) {
        while ((open[0]?.endsAt ?? none) <= now) open.shift()?.end();
        const picked = choice.pick(now, { mayProbe: true });
        if (picked === undefined) throw new Error("nobody was picked");
        const { id } = picked.endpoint;
        const tookMs = phases[Math.floor(now / 5_000)]?.[Number(id.slice(1))] ?? after;
        const endsAt = now + tookMs;
        const end = (): void => {
          picked.report(endsAt, "success", tookMs);
          picked.release();
        };
        open.push({ endsAt, end });
        open.sort((a, b) => a.endsAt - b.endsAt);
        if (now >= changedMs + 160_000) picks.set(id, (picks.get(id) ?? 0) + 1);
      }
      for (const { id } of hosts(4)) expect((picks.get(id) ?? 0) / 4_000).toBeGreaterThan(0.1);
    }),
    { numRuns: 10 },
  );
});
