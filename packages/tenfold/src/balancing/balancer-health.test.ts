import { describe, expect, it } from "vitest";

import type { Balancer, PickOptions } from "./balancer.ts";
import type { Candidate } from "./candidate.ts";
import { leastLoaded } from "./least-loaded.ts";
import { hosts, once, pool } from "./pool.fixture.ts";
import { roundRobin } from "./round-robin.ts";
import { smoothWeighted } from "./smooth-weighted.ts";

describe("ejection", () => {
  const others = (id: string): PickOptions => ({
    exclude: new Set(hosts(5).flatMap((host) => (host.id === id ? [] : [host.id]))),
  });
  const fail = (choice: Balancer<Candidate>, id: string, now: number, times = 5): void => {
    for (let i = 0; i < times; i++) once(choice, now, "failure", others(id));
  };

  it("keeps a round robin away from a host that fails in a row, until a probe went well", () => {
    const choice = pool(hosts(3), { picking: roundRobin(), measure: leastLoaded, successesMin: 1 });
    fail(choice, "h1", 0);
    const ids = Array.from({ length: 30 }, () => once(choice, 1)?.endpoint.id);
    expect(ids).not.toContain("h1");
    expect(once(choice, 1, "success", { mayProbe: true })?.reason).toBe("policy");
    const probe = choice.pick(5_000, { mayProbe: true });
    expect([probe?.endpoint.id, probe?.reason]).toEqual(["h1", "probe"]);
    // One probe at a time.
    expect(once(choice, 5_000, "success", { mayProbe: true })?.endpoint.id).not.toBe("h1");
    probe?.report(5_010, "success", 10);
    const after = Array.from({ length: 30 }, () => once(choice, 5_020)?.endpoint.id);
    expect(after.filter((id) => id === "h1")).toHaveLength(10);
  });

  it.each([2, 3, 4])("finds a host among %i that fails every second call, by its rate", (count) => {
    const choice = pool(hosts(count), { picking: roundRobin(), measure: leastLoaded });
    const seen: string[] = [];
    for (let i = 0; i < 200; i++) {
      const picked = choice.pick(i);
      const id = picked?.endpoint.id as string;
      const nth = seen.filter((other) => other === "h0").length;
      picked?.report(i, id === "h0" && nth % 2 === 0 ? "failure" : "success", 10);
      picked?.release();
      seen.push(id);
    }
    expect(seen.slice(100)).not.toContain("h0");
  });

  it("tells whether one is well, and whether one is beside some", () => {
    const choice = pool(hosts(2), { picking: roundRobin(), measure: leastLoaded });
    expect(choice.hasWellBeside(new Set(["h0"]))).toBe(true);
    expect(choice.hasWellBeside(new Set(["h0", "h1"]))).toBe(false);
    once(choice, 0, "failure", others("h1"));
    expect(choice.hasWellBeside(new Set(["h0"]))).toBe(false);
    expect([choice.hasWell, choice.hasWellBeside(new Set(["h1"]))]).toEqual([true, true]);
  });

  it("leaves all in when all fail alike, whatever the cause", () => {
    const choice = pool(hosts(4), { picking: roundRobin(), measure: leastLoaded });
    const outcome = (i: number) => (Math.floor(i / 4) % 2 === 0 ? "failure" : "success");
    for (let i = 0; i < 400; i++) once(choice, i, outcome(i));
    const { endpoints } = choice.save(400);
    expect(endpoints.map(({ health }) => health.ejected)).toEqual([false, false, false, false]);
  });

  it("does not believe late news of calls from before", () => {
    const choice = pool(hosts(3), { successesMin: 1 });
    const early = choice.pick(0, others("h1"));
    fail(choice, "h1", 0);
    early?.report(1, "success", 1);
    expect(choice.save(1).endpoints[1]?.health.ejected).toBe(true);
    expect(Array.from({ length: 30 }, () => once(choice, 2)?.endpoint.id)).not.toContain("h1");
  });

  it("is ignored when those that are left are all out", () => {
    const list = hosts(5);
    const choice = pool(list);
    fail(choice, "h0", 0);
    fail(choice, "h1", 0);
    expect(once(choice, 1)?.reason).toBe("policy");
    choice.update(list.slice(0, 3));
    expect(once(choice, 1)?.reason).toBe("panic");
  });

  it("would keep the failing host in without a judgement", () => {
    // The canary: the same failures with a limit that they never reach.
    const choice = pool(hosts(3), {
      picking: roundRobin(),
      measure: leastLoaded,
      failuresMax: 1_000_000,
      rateSamplesMin: 10_000,
    });
    fail(choice, "h1", 0);
    const ids = Array.from({ length: 30 }, () => once(choice, 1)?.endpoint.id);
    expect(ids.filter((id) => id === "h1")).toHaveLength(10);
  });
});

it("gives a new host a little first, and its full share later", () => {
  const list = hosts(4);
  const choice = pool(list.slice(0, 3), { picking: smoothWeighted(), slowStartMs: 10_000 });
  for (let now = 0; now < 20_000; now += 10) once(choice, now);
  choice.update(list);
  const shareOver = (from: number): number => {
    const ids = Array.from({ length: 100 }, (_, i) => once(choice, from + i * 10)?.endpoint.id);
    return ids.filter((id) => id === "h3").length / 100;
  };
  expect(shareOver(20_000)).toBeLessThan(0.06);
  expect(shareOver(25_000)).toBeLessThan(0.22);
  expect(shareOver(40_000)).toBeCloseTo(0.25, 1);
});

describe("zones", () => {
  const zoned = (near: number, far: number): Candidate[] => [
    ...hosts(near).map((host) => ({ ...host, zone: "a" })),
    ...hosts(far).map(({ weight }, i) => ({ id: `far${i}`, weight, zone: "b" })),
  ];
  const shareOfFar = (choice: Balancer<Candidate>, now: number): number => {
    const ids = Array.from({ length: 1_000 }, () => once(choice, now)?.endpoint.id ?? "");
    return ids.filter((id) => id.startsWith("far")).length / 1_000;
  };

  it("keeps calls near while the zone is well, and lets go what it has lost", () => {
    const choice = pool(zoned(4, 4), { zone: { own: "a" } });
    expect(shareOfFar(choice, 0)).toBe(0);
    for (const id of ["h0", "h1", "h2"]) {
      const exclude = new Set(zoned(4, 4).flatMap((host) => (host.id === id ? [] : [host.id])));
      for (let i = 0; i < 5; i++) once(choice, 1, "failure", { exclude });
    }
    // One of four near hosts is left: 1.4 × 25 % stays.
    expect(shareOfFar(choice, 2)).toBeCloseTo(0.65, 1);
  });

  it("spills over when near hosts have too much under way", () => {
    const choice = pool(zoned(2, 2), { zone: { own: "a", nearPendingMax: 3 } });
    const reasons = Array.from({ length: 8 }, () => choice.pick(0)?.reason);
    expect(reasons.filter((reason) => reason === "spilled")).toHaveLength(2);
  });

  it("goes far when nobody is near, or the zone is not known", () => {
    expect(shareOfFar(pool(zoned(0, 3), { zone: { own: "a" } }), 0)).toBe(1);
    expect(shareOfFar(pool(zoned(3, 3), { zone: { own: "c" } }), 0)).toBeCloseTo(0.5, 1);
  });
});

describe("saved state", () => {
  const learned = (): Balancer<Candidate> => {
    const choice = pool(hosts(3), { successesMin: 1 });
    for (let now = 0; now < 1_000; now += 10) once(choice, now);
    const exclude = new Set(["h1", "h2"]);
    for (let i = 0; i < 5; i++) once(choice, 1_000, "failure", { exclude });
    return choice;
  };

  it("goes on elsewhere with what was learned, of the same instances only", () => {
    const state = JSON.parse(JSON.stringify(learned().save(1_000)));
    const choice = pool(hosts(3));
    choice.restore(7, state);
    expect(choice.save(7)).toEqual(state);
    expect(Array.from({ length: 30 }, () => once(choice, 8)?.endpoint.id)).not.toContain("h0");
    const restarted = pool(hosts(3).map((host) => ({ ...host, startedAtMs: 5 })));
    restarted.restore(7, state);
    expect(restarted.save(7).endpoints[0]?.health.ejected).toBe(false);
  });

  it("refuses what is no state, and stays as it was", () => {
    const choice = learned();
    const before = choice.save(1_000);
    const endpoint = before.endpoints[0];
    const bad: unknown[] = [
      undefined,
      {},
      { version: 2, endpoints: [] },
      { version: 1, endpoints: [{ ...endpoint, latencyMs: Number.NaN }] },
      { version: 1, endpoints: [{ ...endpoint, health: { ...endpoint?.health, failures: -1 } }] },
      { version: 1, endpoints: [{ ...endpoint, health: undefined }] },
    ];
    for (const state of bad) {
      expect(() => choice.restore(1_000, state as typeof before)).toThrow(/state must be/);
    }
    expect(choice.save(1_000)).toEqual(before);
  });
});
