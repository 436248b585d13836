import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { seededRandom } from "../runtime/random.ts";
import { balancer } from "./balancer.ts";
import { decayedMean, heldPeak } from "./latency-estimate.ts";
import { randomChoices } from "./random-choices.ts";
import { SlowProbes } from "./slow-probes.ts";

function emptyPool() {
  const mean = decayedMean(10_000);
  return { mean, mayLeave: true, answers: 0, probedAt: 0, probedAtMs: 0 };
}

function stand() {
  const pool = emptyPool();
  pool.mean.record(0, 10);
  const probes = new SlowProbes(pool);
  probes.answered(0, 1_000, true);
  return { pool, probes };
}

describe("a slow host", () => {
  it("is due after many answers of its pool, or fewer and some time", () => {
    const { pool, probes } = stand();
    pool.answers = 249;
    expect(probes.isDue(1_250)).toBe(false);
    pool.answers = 250;
    expect(probes.isDue(1_249)).toBe(false);
    expect(probes.isDue(1_250)).toBe(true);
    pool.answers = 500;
    expect(probes.isDue(249)).toBe(false);
    expect(probes.isDue(250)).toBe(true);
  });

  it("is due half as often for a call that has to wait for the answer", () => {
    const { pool, probes } = stand();
    pool.mayLeave = false;
    pool.answers = 499;
    expect(probes.isDue(2_500)).toBe(false);
    pool.answers = 500;
    expect(probes.isDue(2_499)).toBe(false);
    expect(probes.isDue(2_500)).toBe(true);
  });

  it("waits its turn when another one was asked just now", () => {
    const { pool, probes } = stand();
    pool.answers = 1_000;
    pool.probedAt = 751;
    expect(probes.isDue(5_000)).toBe(false);
    pool.probedAt = 750;
    expect(probes.isDue(5_000)).toBe(true);
  });

  it("is well again after four quick answers in a row, not after one", () => {
    const { pool, probes } = stand();
    pool.answers = 1_000;
    probes.began(5_000);
    expect(probes.answered(5_000, 19, true)).toBe(false);
    expect(probes.isDue(5_000)).toBe(true);
    expect(probes.answered(5_001, 21, true)).toBe(false);
    expect(probes.isDue(5_001)).toBe(false);
    pool.answers = 2_000;
    probes.began(9_000);
    expect(probes.answered(9_000, 1, true)).toBe(false);
    expect(probes.answered(9_001, 1, true)).toBe(false);
    expect(probes.answered(9_002, 1, true)).toBe(false);
    expect(probes.answered(9_003, 1, true)).toBe(true);
    expect(probes.isDue(9_004)).toBe(false);
  });
});

it("a row of quick answers does not go on over a failure", () => {
  const { pool, probes } = stand();
  pool.answers = 1_000;
  probes.began(5_000);
  for (let i = 0; i < 3; i++) expect(probes.answered(5_000, 1, true)).toBe(false);
  probes.failed();
  expect(probes.answered(5_000, 1, true)).toBe(false);
  expect(probes.isDue(5_000)).toBe(false);
});

describe("a host is late", () => {
  /** In turn with another host, which takes `otherMs`. */
  const answers = (many: readonly number[], otherMs: number): SlowProbes => {
    const { pool, probes } = stand();
    const other = new SlowProbes(pool);
    for (const latencyMs of many) {
      other.answered(0, otherMs, false);
      probes.answered(0, latencyMs, false);
    }
    return probes;
  };
  const late = (count: number): number[] => Array.from({ length: count }, () => 20);

  it("when six answers more are late than are quick", () => {
    expect(answers(late(4), 10).isLate).toBe(false);
    expect(answers(late(5), 10).isLate).toBe(true);
    expect(answers([...late(4), 19, 20], 10).isLate).toBe(false);
    expect(answers([...late(4), 19, 20, 20], 10).isLate).toBe(true);
  });

  it("not when the others are: a pause of the caller's makes all of them late", () => {
    expect(answers(late(100), 500).isLate).toBe(false);
  });

  it("not before there is a mean", () => {
    const probes = new SlowProbes(emptyPool());
    for (let i = 0; i < 100; i++) probes.answered(0, 1_000, false);
    expect(probes.isLate).toBe(false);
  });

  it("when a caller went away after longer than a quick answer takes", () => {
    const { probes } = stand();
    for (let i = 0; i < 100; i++) probes.unanswered(0, 19);
    expect(probes.isLate).toBe(false);
    for (let i = 0; i < 6; i++) probes.unanswered(0, 20);
    expect(probes.isLate).toBe(true);
  });
});

it("holds what is far above the mean, and forgets a fiftieth of it with an answer", () => {
  const mean = decayedMean(10_000);
  mean.record(0, 100);
  const latency = heldPeak(10_000, mean);
  latency.record(0, 1_000);
  expect(latency.estimate(600_000)).toBe(1_000);
  latency.record(600_000, 0);
  expect(latency.estimate(600_000)).toBeCloseTo(1_000 * Math.exp(-1 / 50), 6);
  latency.reset(600_000, 700);
  expect(latency.estimate(610_000)).toBeCloseTo(700 / Math.E, 6);
});

/** The share of the picks of "s0", which answers in `slowMs` and the others in ten. */
function shareOf(slowMs: (at: number) => number, fromMs: number, toMs: number): number {
  const hosts = balancer({ random: seededRandom("slow"), slowStartMs: 0 });
  hosts.update(["s0", "s1", "s2", "s3"].map((id) => ({ id, weight: 1 })));
  let seen = 0;
  let all = 0;
  for (let at = 0; at < toMs; at += 5) {
    const picked = hosts.pick(at);
    const isSlow = picked?.endpoint.id === "s0";
    if (at >= fromMs) {
      all++;
      if (isSlow) seen++;
    }
    picked?.report(at, "success", isSlow ? slowMs(at) : 10);
    picked?.release();
  }
  return seen / all;
}

it("gets at most one call in five hundred while it is slow, for however long", () => {
  expect(shareOf(() => 100, 5_000, 120_000)).toBeLessThanOrEqual(1 / 500);
  expect(shareOf(() => 100, 5_000, 120_000)).toBeGreaterThan(0);
});

it("has its part back within five seconds after one long pause", () => {
  const share = shareOf((at) => (at > 10_000 && at < 10_100 ? 1_000 : 10), 15_000, 20_000);
  expect(share).toBeGreaterThan(0.2);
});

it("gets no more when the others are busy", () => {
  const hosts = balancer({ random: seededRandom("busy"), slowStartMs: 0 });
  hosts.update(["s0", "s1", "s2", "s3"].map((id) => ({ id, weight: 1 })));
  const underWay: { endsAt: number; end: () => void }[] = [];
  let [here, all] = [0, 0];
  for (let at = 0; at < 120_000; at += 5) {
    for (const call of underWay.filter(({ endsAt }) => endsAt <= at)) {
      underWay.splice(underWay.indexOf(call), 1);
      call.end();
    }
    // Ten calls at a time, of 50 ms each, so that a host has three of them.
    for (let call = 0; call < (at % 50 === 0 ? 10 : 0); call++) {
      const pick = picked(hosts, at);
      const isHere = pick.endpoint.id === "s0";
      const tookMs = isHere && at > 5_000 ? 500 : 50;
      const end = (): void => {
        pick.report(at + tookMs, "success", tookMs);
        pick.release();
      };
      underWay.push({ endsAt: at + tookMs, end });
      if (at > 10_000) all++;
      if (at > 10_000 && isHere) here++;
    }
  }
  expect(here / all).toBeLessThanOrEqual(1 / 400);
  expect(here).toBeGreaterThan(0);
});

it("a call that finds out about a slow host is one to be left soon", () => {
  const hosts = balancer({ random: seededRandom("patience"), slowStartMs: 0 });
  hosts.update(["s0", "s1", "s2", "s3"].map((id) => ({ id, weight: 1 })));
  let probes = 0;
  for (let at = 0; at < 60_000; at += 5) {
    const pick = picked(hosts, at);
    const isSlow = pick.endpoint.id === "s0" && at > 1_000;
    if (pick.reason === "probe") {
      probes++;
      expect(pick.endpoint.id).toBe("s0");
      expect(pick.patienceMs).toBeCloseTo(20, 0);
    } else expect(pick.patienceMs).toBe(Number.POSITIVE_INFINITY);
    pick.report(at, "success", isSlow ? 100 : 10);
    pick.release();
  }
  expect(probes).toBeGreaterThan(10);
});

type Hosts = ReturnType<typeof balancer<{ readonly id: string; readonly weight: number }>>;

function picked(hosts: Hosts, at: number, options?: { readonly mayProbe: boolean }) {
  const pick = hosts.pick(at, options);
  if (pick === undefined) throw new Error("no host was picked");
  return pick;
}

describe("a host that was slow gets its share back", () => {
  const names = ["s0", "s1", "s2", "s3"];
  const fourHosts = () => {
    const hosts = balancer({ random: seededRandom("well again"), slowStartMs: 0 });
    hosts.update(names.map((id) => ({ id, weight: 1 })));
    return hosts;
  };

  it("when every host has a stream open that does not end", () => {
    const hosts = fourHosts();
    const open = new Set<string>();
    let [here, all] = [0, 0];
    for (let at = 0; at < 300_000; at += 5) {
      const pick = picked(hosts, at);
      const { id } = pick.endpoint;
      const isSlow = id === "s0" && at > 10_000 && at < 10_100;
      pick.report(at, "success", isSlow ? 1_000 : 10);
      if (open.has(id)) pick.release();
      open.add(id);
      if (at > 60_000) all++;
      if (at > 60_000 && id === "s0") here++;
    }
    expect(here / all).toBeGreaterThan(0.2);
  });

  it("when its slow answer broke off, and no call may probe a failing host", () => {
    const hosts = fourHosts();
    let [here, all, broke] = [0, 0, false];
    for (let at = 0; at < 300_000; at += 5) {
      const pick = picked(hosts, at, { mayProbe: false });
      const isHere = pick.endpoint.id === "s0";
      if (isHere && at > 10_000 && !broke) {
        broke = true;
        pick.report(at, "success", 1_000);
        pick.report(at + 1, "failure", 5);
      } else pick.report(at, "success", 10);
      pick.release();
      if (at > 60_000) all++;
      if (at > 60_000 && isHere) here++;
    }
    expect(here / all).toBeGreaterThan(0.2);
  });

  it("when there is hardly a call", () => {
    const hosts = fourHosts();
    let firstAt = Number.POSITIVE_INFINITY;
    for (let at = 0; at < 600_000; at += 2_000) {
      const pick = picked(hosts, at);
      const isHere = pick.endpoint.id === "s0";
      pick.report(at, "success", isHere && at < 20_000 ? 1_000 : 10);
      pick.release();
      if (isHere && at > 20_000) firstAt = Math.min(firstAt, at);
    }
    expect(firstAt).toBeLessThan(200_000);
  });
});

it("one slow host at a time is asked, however many there are", () => {
  const picking = randomChoices({ choices: 16 });
  const hosts = balancer({ random: seededRandom("many slow"), slowStartMs: 0, picking });
  hosts.update(Array.from({ length: 100 }, (_, index) => ({ id: `${index}`, weight: 1 })));
  const underWay: { endsAt: number; pick: ReturnType<typeof picked> }[] = [];
  let [slow, all] = [0, 0];
  for (let at = 0; at < 60_000; at++) {
    while ((underWay[0]?.endsAt ?? Number.POSITIVE_INFINITY) <= at) {
      const { pick } = underWay.shift() as (typeof underWay)[0];
      pick.report(at, "success", 200);
      pick.release();
    }
    const pick = picked(hosts, at);
    const isSlow = Number(pick.endpoint.id) < 30;
    if (isSlow) underWay.push({ endsAt: at + 200, pick });
    else {
      pick.report(at, "success", 10);
      pick.release();
    }
    if (at > 10_000) all++;
    if (at > 10_000 && isSlow) slow++;
  }
  expect(slow / all).toBeLessThan(0.004);
});

describe("an adversary's answers", () => {
  it("leave no row of quick ones behind that would be followed up later", () => {
    const { pool, probes } = stand();
    pool.answers = 1_000;
    probes.began(5_000);
    expect(probes.answered(5_001, 1, true)).toBe(false);
    // It is not slow any more, then it is again: it waits its turn as any other.
    probes.answered(5_002, 1, false);
    expect(probes.isDue(5_003)).toBe(false);
  });

  it("do not let a follow-up that hangs be repeated out of turn", () => {
    const { pool, probes } = stand();
    pool.answers = 1_000;
    probes.began(5_000);
    probes.answered(5_001, 1, true);
    probes.began(5_002);
    pool.answers = 1_600;
    pool.probedAt = 1_500;
    expect(probes.isDue(9_000)).toBe(false);
    pool.answers = 1_750;
    expect(probes.isDue(9_000)).toBe(true);
  });

  it("do not put off a probe by going away soon, again and again", () => {
    const { pool, probes } = stand();
    for (let now = 0; now < 5_000; now += 100) {
      pool.answers += 20;
      probes.unanswered(now, 5);
    }
    expect(probes.isDue(5_000)).toBe(true);
  });

  it("without a mean count neither as late nor as quick ones of a probe", () => {
    const probes = new SlowProbes(emptyPool());
    for (let now = 0; now < 1_000; now++) probes.unanswered(now, 1e6);
    expect([probes.isLate, probes.isLateAlone]).toEqual([false, false]);
  });

  it("of one host alone say how long a call takes now", () => {
    const { probes } = stand();
    for (let i = 0; i < 50; i++) probes.answered(i, 100, false);
    expect(probes.isLateAlone).toBe(true);
    for (let i = 0; i < 60; i++) probes.answered(50 + i, 100, false);
    expect([probes.isLate, probes.isLateAlone]).toEqual([true, false]);
  });
});

it("at most one call in 250 is a probe that shows, whatever the hosts answer", () => {
  const latency = fc.constantFrom(0, 1, 10, 19, 25, 60, 100, 400, 3_000);
  const models = fc.array(fc.array(latency, { minLength: 1, maxLength: 4 }), {
    minLength: 2,
    maxLength: 6,
  });
  const gone = fc.double({ min: 0, max: 0.3, noNaN: true });
  fc.assert(
    fc.property(models, gone, fc.boolean(), fc.string(), (given, goneShare, mayProbe, seed) => {
      const random = seededRandom(seed);
      const hosts = balancer({ random, slowStartMs: 0 });
      hosts.update(given.map((_, index) => ({ id: `${index}`, weight: 1 })));
      const open: { endsAt: number; end: () => void }[] = [];
      let [answers, late] = [0, 0];
      for (let at = 0; at < 30_000; at += 5) {
        while ((open[0]?.endsAt ?? Number.POSITIVE_INFINITY) <= at) open.shift()?.end();
        const pick = picked(hosts, at, { mayProbe });
        const own = given[Number(pick.endpoint.id)] ?? [];
        const tookMs = own[Math.floor(random.next() * own.length)] ?? 0;
        const isGone = random.next() < goneShare;
        if (tookMs >= pick.patienceMs) late++;
        const end = (): void => {
          if (!isGone) answers++;
          pick.report(at + tookMs, isGone ? "cancelled" : "success", tookMs);
          pick.release();
        };
        open.push({ endsAt: at + tookMs, end });
        open.sort((a, b) => a.endsAt - b.endsAt);
      }
      // The mean moves while a call is under way: one that took longer than
      // its patience may count as quick in the end, and the row of probes goes on.
      const rows = answers / (mayProbe ? 250 : 500);
      expect(late).toBeLessThanOrEqual(2 + rows * 1.1);
    }),
    { numRuns: 40 },
  );
});
