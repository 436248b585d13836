import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { seededRandom } from "../runtime/random.ts";
import { boundedHash } from "./bounded-hash.ts";
import { dynamicWeighted } from "./dynamic-weighted.ts";
import { fullScan } from "./full-scan.ts";
import type { Host } from "./host.ts";
import type { Picking } from "./picking.ts";
import { pool } from "./pool.fixture.ts";
import { randomChoices, twoChoices } from "./random-choices.ts";
import { roundRobin } from "./round-robin.ts";
import { smoothWeighted } from "./smooth-weighted.ts";

interface Given {
  readonly weight?: number;
  readonly load?: number;
  readonly pending?: number;
}

/** Hosts h0, h1, … whose load is given. */
function hosts(...given: readonly Given[]): Host[] {
  return given.map(({ weight = 1, load = 1, pending = 0 }, i) => ({
    id: `h${i}`,
    weight,
    pending,
    weightAt: () => weight,
    load: () => load,
    idleLoad: () => load,
    turn: Number.NaN,
    share: Number.NaN,
  }));
}

function picksOf(picking: Picking, list: readonly Host[], count: number, seed = "picks"): string[] {
  const picker = picking(seededRandom(seed));
  return Array.from({ length: count }, (_, i) => picker.pick(list, i, `key-${i}`).id);
}

/** Share of the picks by host, in order of the list. */
function shares(picking: Picking, list: readonly Host[], count = 12_000): number[] {
  const picks = picksOf(picking, list, count);
  return list.map(({ id }) => picks.filter((pick) => pick === id).length / count);
}

const all: readonly (readonly [string, Picking])[] = [
  ["round robin", roundRobin()],
  ["smooth weighted", smoothWeighted()],
  ["dynamic weighted", dynamicWeighted()],
  ["random choices", randomChoices()],
  ["two choices", twoChoices()],
  ["full scan", fullScan()],
  ["bounded hash", boundedHash()],
];

describe.each(all)("%s", (_name, picking) => {
  it("spreads evenly over equals", () => {
    for (const share of shares(picking, hosts({}, {}, {}, {}, {}))) {
      expect(share).toBeGreaterThan(0.18);
      expect(share).toBeLessThan(0.22);
    }
  });

  it("repeats itself with the same seed", () => {
    const list = () => hosts({ load: 3 }, { weight: 2 }, {}, { load: 2 });
    expect(picksOf(picking, list(), 200)).toEqual(picksOf(picking, list(), 200));
  });

  it("picks one of the list, however odd loads and weights are, and whoever comes and goes", () => {
    const host = fc.record({
      weight: fc.oneof(fc.constant(1), fc.double({ min: 1e-6, max: 1e6, noNaN: true })),
      load: fc.oneof(fc.constantFrom(0, Number.POSITIVE_INFINITY), fc.nat(1_000)),
      pending: fc.nat(1_000),
    });
    const lists = fc.array(fc.array(host, { minLength: 1, maxLength: 12 }), { maxLength: 10 });
    fc.assert(
      fc.property(lists, fc.string(), (rounds, seed) => {
        const picker = picking(seededRandom(seed));
        for (const [now, round] of rounds.entries()) {
          const list = hosts(...round);
          for (let i = 0; i < 3; i++) expect(list).toContain(picker.pick(list, now, seed));
        }
      }),
      { numRuns: 50 },
    );
  });
});

it("smooth weighted round robin spreads the picks of a heavy host", () => {
  const list = hosts({ weight: 5 }, { weight: 1 }, { weight: 1 });
  for (const host of list) host.turn = 0;
  const picks = picksOf(smoothWeighted(), list, 7).join(" ");
  expect(picks).toBe("h0 h0 h1 h0 h2 h0 h0");
});

it("clients of smooth weighted round robin do not start at the same host", () => {
  const first = Array.from({ length: 40 }, (_, client) => {
    return picksOf(smoothWeighted(), hosts({}, {}, {}, {}), 1, `client-${client}`)[0];
  });
  expect(new Set(first).size).toBe(4);
});

it.each([
  ["smooth weighted", smoothWeighted()],
  ["dynamic weighted", dynamicWeighted()],
  ["random choices", randomChoices()],
  ["full scan", fullScan()],
  ["bounded hash", boundedHash()],
])("%s honours weights among the idle, of two as well", (_name, picking) => {
  const [light = 0] = shares(picking, hosts({ weight: 0.5 }, { weight: 1.5 }));
  expect(light).toBeCloseTo(0.25, 1);
});

it("dynamic weights follow what is measured, within bounds, and give the unknown the average", () => {
  const list = hosts({ load: 10 }, { load: 20 }, { load: 10_000 }, { load: 0 });
  const picker = dynamicWeighted({ smoothing: 1 })(seededRandom("d"));
  const counts = new Map<string, number>();
  for (let i = 0; i < 10_000; i++) {
    const { id } = picker.pick(list, i, undefined);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const count = (id: string): number => counts.get(id) ?? 0;
  expect(count("h0") / count("h1")).toBeCloseTo(2, 1);
  expect(count("h2") / count("h1")).toBeCloseTo(0.1, 1);
  expect(count("h3") / count("h1")).toBeCloseTo(1, 1);
});

it("random choices never take the most loaded, and give one host at most d of n", () => {
  const list = hosts(...Array.from({ length: 20 }, (_, load) => ({ load })));
  for (const choices of [2, 4]) {
    const picked = shares(randomChoices({ choices }), list);
    expect(picked[19]).toBe(0);
    expect(picked[0]).toBeLessThan(choices / 20 + 0.02);
    expect(picked[0]).toBeGreaterThan(choices / 20 - 0.02);
  }
});

it("with as many choices as hosts the least loaded always wins", () => {
  const list = hosts({ load: 3 }, { load: 2 }, { load: 1 });
  expect(shares(randomChoices({ choices: 3 }), list, 100)).toEqual([0, 0, 1]);
  expect(shares(fullScan(), list, 100)).toEqual([0, 0, 1]);
});

describe("bounded hash", () => {
  const keys = Array.from({ length: 4_000 }, (_, i) => `user-${i}`);
  const placed = (list: readonly Host[]): Map<string, string> => {
    const picker = boundedHash()(seededRandom("h"));
    return new Map(keys.map((key) => [key, picker.pick(list, 0, key).id]));
  };

  it("moves only the keys of a host that leaves, and spreads them over all others", () => {
    const four = hosts({}, {}, {}, {});
    const before = placed(four);
    const after = placed(four.slice(1));
    const heirs = new Map<string, number>();
    for (const [key, id] of before) {
      const now = after.get(key) as string;
      if (id !== "h0") expect(now).toBe(id);
      else heirs.set(now, (heirs.get(now) ?? 0) + 1);
    }
    for (const count of heirs.values()) expect(count).toBeGreaterThan(250);
  });

  it("sends what a full host cannot take elsewhere, and back when there is room", () => {
    const picker = boundedHash({ boundRatio: 1.25 })(seededRandom("h"));
    const list = hosts({}, {}, {});
    const home = picker.pick(list, 0, "k").id;
    const busy = hosts({ pending: 4 }, { pending: 4 }, { pending: 4 });
    const index = Number(home.slice(1));
    const full = busy.map((host, i) => (i === index ? { ...host, pending: 40 } : host));
    expect(picker.pick(busy, 0, "k").id).toBe(home);
    expect(picker.pick(full, 0, "k").id).not.toBe(home);
  });

  it("takes the hash it is given", () => {
    const asked: string[] = [];
    const hash = (text: string): number => asked.push(text);
    boundedHash({ hash })(seededRandom("h")).pick(hosts({}, {}), 0, "k");
    expect(asked).toEqual(["k", "h0", "h1"]);
  });
});

it("refuses options out of their range", () => {
  expect(() => randomChoices({ choices: 1 })).toThrow(/choices/);
  expect(() => dynamicWeighted({ smoothing: 0 })).toThrow(/smoothing/);
  expect(() => dynamicWeighted({ periodMs: Number.NaN })).toThrow(/periodMs/);
  expect(() => boundedHash({ boundRatio: 1 })).toThrow(/boundRatio/);
});

it("a slow host that is to be asked next gets no more of dynamic weights for that", () => {
  const choice = pool(
    ["h0", "h1", "h2"].map((id) => ({ id, weight: 1 })),
    {
      picking: dynamicWeighted({ smoothing: 1 }),
      slowStartMs: 0,
    },
  );
  const slowShare = (fromMs: number, toMs: number): number => {
    let [slow, all] = [0, 0];
    for (let now = fromMs; now < toMs; now += 2) {
      const picked = choice.pick(now, { mayProbe: true });
      const isSlow = picked?.endpoint.id === "h0";
      all++;
      if (isSlow) slow++;
      picked?.report(now, "success", isSlow ? 500 : 10);
      picked?.release();
    }
    return slow / all;
  };
  slowShare(0, 10_000);
  // After two quiet minutes it is due when the weights are measured.
  expect(slowShare(130_000, 130_900)).toBeLessThan(0.06);
});
