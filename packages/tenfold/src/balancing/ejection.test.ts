import fc from "fast-check";
import { expect, it } from "vitest";

import { seededRandom } from "../runtime/random.ts";
import { ejectedMax, ejection } from "./ejection.ts";
import { hosts, once, pool } from "./pool.fixture.ts";

const options = { successesMin: 2, probeMs: 100, probeMsMax: 1_000, random: seededRandom("e") };

it("brings an ejected host back after successes in a row, a failing one after one", () => {
  const host = ejection(options);
  host.failed(0, 1);
  host.failed(0, 1);
  expect(host.succeeded(1)).toBe(false);
  expect(host.failures).toBe(0);
  host.failed(2, 1);
  host.eject();
  expect(host.succeeded(3)).toBe(false);
  host.failed(4, 1);
  expect(host.succeeded(5)).toBe(false);
  expect([host.ejected, host.probeAt]).toEqual([true, 5]);
  expect(host.succeeded(6)).toBe(true);
  expect([host.ejected, host.failures]).toEqual([false, 0]);
});

it("starts an epoch with every way out and in", () => {
  const host = ejection(options);
  host.failed(0, 1);
  expect(host.epoch).toBe(0);
  host.eject();
  expect(host.epoch).toBe(1);
  host.succeeded(1);
  host.succeeded(1);
  expect(host.epoch).toBe(2);
});

it("waits twice as long after each probe, jittered by half, never over the limit", () => {
  const host = ejection(options);
  host.failed(0, 1);
  for (const expected of [200, 400, 800, 1_000, 1_000]) {
    host.probed(50);
    const delay = host.probeAt - 50;
    expect(delay).toBeGreaterThanOrEqual(expected * 0.5);
    expect(delay).toBeLessThan(expected * 1.5);
  }
});

it("waits longer where a failure took long, whose probes cost the most", () => {
  const host = ejection(options);
  host.failed(0, 2_000);
  expect(host.probeAt).toBeGreaterThanOrEqual(5_000);
  expect(host.probeAt).toBeLessThan(15_000);
});

it("goes on elsewhere from what was saved, by another clock", () => {
  const host = ejection(options);
  host.failed(1_000, 1);
  host.eject();
  const other = ejection(options);
  other.restore(7, JSON.parse(JSON.stringify(host.save(1_010))));
  expect(other.save(7)).toEqual(host.save(1_010));
  expect(other.probeAt).toBeCloseTo(host.probeAt - 1_010 + 7);
});

it("lets fewer than half be out, but one of two", () => {
  expect([0, 1, 2, 3, 4, 5, 10].map(ejectedMax)).toEqual([0, 0, 1, 1, 1, 2, 4]);
});

it("keeps the order of its states, and always says when the next probe is due", () => {
  const step = fc.record({
    kind: fc.constantFrom("failed", "succeeded", "eject", "probed", "restore"),
    waitMs: fc.nat(5_000),
    latencyMs: fc.oneof(fc.nat(60_000), fc.constant(2 ** 53)),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const host = ejection(options);
      let now = 0;
      for (const { kind, waitMs, latencyMs } of steps) {
        now += waitMs;
        const { epoch, ejected } = host;
        if (kind === "failed") host.failed(now, latencyMs);
        else if (kind === "probed") host.probed(now);
        else if (kind === "restore") host.restore(now, host.save(now));
        // Who is put out has failed before.
        else if (kind === "eject" && !ejected && host.failures > 0) host.eject();
        else if (kind === "succeeded") expect(host.succeeded(now)).toBe(ejected && !host.ejected);
        expect(host.epoch - epoch).toBe(ejected === host.ejected ? 0 : 1);
        if (host.ejected) expect(host.failures).toBeGreaterThan(0);
        const { probeInMs, successesOwed } = host.save(now);
        expect(probeInMs).toBeLessThanOrEqual(45_000);
        expect(successesOwed).toBeLessThanOrEqual(options.successesMin);
      }
      for (let i = 0; i < options.successesMin; i++) host.succeeded(now);
      expect([host.ejected, host.failures]).toEqual([false, 0]);
    }),
  );
});

it("never empties the set, nor puts out more than may be, whichever hosts fail", () => {
  const outcome = fc.constantFrom("success" as const, "failure" as const);
  const rounds = fc.array(fc.tuple(fc.nat(6), outcome, fc.nat(400)), { maxLength: 300 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 7 }), rounds, (count, given) => {
      const choice = pool(hosts(count), { failuresMax: 2 });
      let now = 0;
      for (const [index, result, waitMs] of given) {
        now += waitMs;
        const only = `h${index % count}`;
        const others = hosts(count).flatMap(({ id }) => (id === only ? [] : [id]));
        once(choice, now, result, { exclude: new Set(others) });
        const out = choice.view(now).filter(({ ejected }) => ejected).length;
        expect(out).toBeLessThanOrEqual(ejectedMax(count));
        const picked = choice.pick(now, { mayProbe: result === "success" });
        picked?.release();
        expect(picked).toBeDefined();
      }
    }),
  );
});
