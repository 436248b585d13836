import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { isTenfoldError } from "../runtime/errors.ts";
import { seededRandom } from "../runtime/random.ts";
import { balancer } from "./balancer.ts";
import type { BalancerOptions } from "./balancer-options.ts";
import type { Candidate } from "./candidate.ts";
import { peakEwmaLoad } from "./peak-ewma-load.ts";
import { hosts, pool } from "./pool.fixture.ts";

interface Host {
  /** Milliseconds a call takes; failures fail after it. */
  readonly latencyMs: (at: number) => number;
  readonly fails: (at: number) => boolean;
}

const well: Host = { latencyMs: () => 10, fails: () => false };

/** Calls at a steady rate, answered by models of hosts; gives each host's share by phase. */
function drive(
  models: readonly Host[],
  phases: readonly number[],
  perSecond = 500,
  mayProbe = true,
) {
  const choice = balancer<Candidate>({ random: seededRandom("drive") });
  choice.update(hosts(models.length));
  const pending: { at: number; run: () => void }[] = [];
  const shares: number[][] = [];
  let now = 0;
  for (const until of phases) {
    const counts = models.map(() => 0);
    let calls = 0;
    for (; now < until; now += 1_000 / perSecond) {
      pending.sort((a, b) => a.at - b.at);
      while ((pending[0]?.at ?? Number.POSITIVE_INFINITY) <= now) pending.shift()?.run();
      const picked = choice.pick(now, { mayProbe });
      if (picked === undefined) throw new Error("nobody was picked");
      const index = Number(picked.endpoint.id.slice(1));
      const host = models[index] as Host;
      const took = host.latencyMs(now);
      const outcome = host.fails(now) ? "failure" : "success";
      const end = now + took;
      pending.push({
        at: end,
        run() {
          picked.report(end, outcome, took);
          picked.release();
        },
      });
      counts[index] = (counts[index] ?? 0) + 1;
      calls++;
    }
    shares.push(counts.map((count) => count / calls));
  }
  return shares;
}

describe("a bad host among good ones", () => {
  it.each([2, 3, 10])("gets next to nothing of %i while it fails at once, and is back", (count) => {
    const failsFast: Host = { latencyMs: () => 0.5, fails: (at) => at < 60_000 };
    const models = [failsFast, ...Array.from({ length: count - 1 }, () => well)];
    // Fails until second 60; the next 6 s are the way back.
    const [while_, , after] = drive(models, [60_000, 66_000, 90_000]);
    expect(while_?.[0]).toBeLessThan(0.005);
    expect(after?.[0]).toBeGreaterThan(0.7 / count);
  });

  it("would get its full share without the penalty", () => {
    // The canary: a failing host that only reports how fast it was.
    const choice = balancer<Candidate>({ random: seededRandom("canary") });
    choice.update(hosts(3));
    let bad = 0;
    for (let now = 0; now < 10_000; now += 2) {
      const picked = choice.pick(now);
      const isBad = picked?.endpoint.id === "h0";
      if (isBad) bad++;
      picked?.report(now, "success", isBad ? 0.5 : 10);
      picked?.release();
    }
    expect(bad / 5_000).toBeGreaterThan(0.3);
  });

  it("gets little when it is ten times slower", () => {
    const slow: Host = { latencyMs: () => 100, fails: () => false };
    const [share] = drive([slow, well, well, well], [30_000]);
    expect(share?.[0]).toBeLessThan(0.05);
  });

  it("is found well again by calls that cannot be repeated, only later", () => {
    const bad: Host = { latencyMs: () => 1, fails: (at) => at < 10_000 };
    const [, , after] = drive([bad, well, well], [10_000, 60_000, 90_000], 200, false);
    expect(after?.[0]).toBeGreaterThan(0.2);
  });

  it("is tried on when it is the only one", () => {
    const [share] = drive([{ latencyMs: () => 1, fails: () => true }], [10_000]);
    expect(share).toEqual([1]);
  });
});

it("spreads evenly over equals", () => {
  const [share] = drive([well, well, well, well], [20_000], 800);
  for (const part of share ?? []) expect(part).toBeCloseTo(0.25, 1);
});

it("sends an unknown host one call until that is answered", () => {
  const choice = balancer<Candidate>({ random: seededRandom("cold") });
  choice.update(hosts(2));
  for (let now = 0; now < 100; now++) {
    const picked = choice.pick(now, { exclude: new Set(["h1"]) });
    picked?.report(now, "success", 10);
    picked?.release();
  }
  const picks = Array.from({ length: 20 }, () => choice.pick(100)?.endpoint.id);
  expect(picks.filter((id) => id === "h1")).toHaveLength(1);
});

it("takes an excluded endpoint only when there is no other", () => {
  const choice = balancer<Candidate>({ random: seededRandom("x") });
  choice.update(hosts(3));
  const exclude = new Set(["h0", "h2"]);
  for (let i = 0; i < 50; i++) expect(choice.pick(0, { exclude })?.endpoint.id).toBe("h1");
  exclude.add("h1");
  expect(choice.pick(0, { exclude })).toBeDefined();
});

it("keeps what it knows of those that stay, and forgets those that start anew", () => {
  const choice = balancer<Candidate>({ random: seededRandom("churn") });
  const list = hosts(3).map((host) => ({ ...host, startedAtMs: 1 }));
  choice.update(list);
  for (let i = 0; i < 8; i++)
    choice.pick(0, { exclude: new Set(["h1", "h2"]) })?.report(0, "failure", 1);
  const shareOfFirst = (): number => {
    const ids = Array.from({ length: 60 }, () => {
      const picked = choice.pick(1);
      picked?.release();
      return picked?.endpoint.id;
    });
    return ids.filter((id) => id === "h0").length;
  };
  expect(shareOfFirst()).toBe(0);
  choice.update(list.slice(0, 2));
  choice.update(list);
  expect(shareOfFirst()).toBe(0);
  choice.update(list.map((host) => (host.id === "h0" ? { ...host, startedAtMs: 2 } : host)));
  expect(shareOfFirst()).toBeGreaterThan(0);
});

it("gives a weight of 0 nothing, and refuses weights that are none", () => {
  const choice = balancer<Candidate>({ random: seededRandom("w") });
  expect(choice.pick(0)).toBeUndefined();
  choice.update([
    { id: "a", weight: 0 },
    { id: "b", weight: 2 },
  ]);
  expect(choice.size).toBe(1);
  for (let i = 0; i < 20; i++) expect(choice.pick(0)?.endpoint.id).toBe("b");
  for (const weight of [Number.NaN, -1, 1e-9, 1e9, Number.POSITIVE_INFINITY]) {
    try {
      choice.update([{ id: "c", weight }]);
      expect.unreachable();
    } catch (error) {
      expect(isTenfoldError(error, "TENFOLD_BALANCING_WEIGHT_INVALID")).toBe(true);
    }
  }
  expect(choice.pick(0)?.endpoint.id).toBe("b");
  choice.update([{ id: "a", weight: 0 }]);
  expect(choice.pick(0)).toBeUndefined();
});

it("refuses options out of their range, and those it does not know", () => {
  const random = seededRandom("o");
  expect(() => balancer({ random, probeMs: 0 })).toThrow(/probeMs/);
  expect(() => balancer({ random, zone: { own: "" } })).toThrow(/zone.own/);
  expect(() => balancer({ random, zone: { own: "z", overProvision: 0 } })).toThrow(/overProvision/);
  expect(() => balancer({ random, decayMs: 1 } as BalancerOptions)).toThrow(/decayMs/);
  expect(() => peakEwmaLoad({ decayMs: 0 })).toThrow(/decayMs/);
  expect(() => peakEwmaLoad({ failurePenalty: Number.NaN })).toThrow(/failurePenalty/);
});

it("counts an outcome whose latency is no number, without measuring it", () => {
  const choice = pool(hosts(1));
  for (const latencyMs of [Number.NaN, -5]) {
    const picked = choice.pick(0);
    picked?.report(0, "failure", latencyMs);
    picked?.release();
  }
  const [endpoint] = choice.save(0).endpoints;
  expect(endpoint?.health.failures).toBe(2);
  expect(endpoint).not.toHaveProperty("latencyMs");
  for (const latencyMs of [Number.NaN, -5, Number.POSITIVE_INFINITY, 1e300]) {
    const picked = choice.pick(0);
    picked?.report(0, "success", latencyMs);
    picked?.release();
  }
  expect(choice.save(0).endpoints[0]).not.toHaveProperty("latencyMs");
});

it("picks someone of the list whatever happened", () => {
  const step = fc.record({
    kind: fc.constantFrom("pick", "success", "failure", "cancelled", "update"),
    host: fc.nat(9),
    waitMs: fc.integer({ min: -3_000, max: 3_000 }),
    mayProbe: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.string(), (steps, seed) => {
      const choice = balancer<Candidate>({ random: seededRandom(seed) });
      let size = 5;
      let now = 0;
      choice.update(hosts(size));
      for (const { kind, host, waitMs, mayProbe } of steps) {
        now += waitMs;
        if (kind === "update") {
          size = host;
          choice.update(hosts(size));
        }
        const picked = choice.pick(now, { mayProbe });
        expect(picked === undefined).toBe(size === 0);
        if (picked === undefined) continue;
        expect(Number(picked.endpoint.id.slice(1))).toBeLessThan(size);
        if (kind === "pick") continue;
        if (kind !== "update") picked.report(now, kind, waitMs);
        picked.release();
        picked.release();
      }
    }),
  );
});
