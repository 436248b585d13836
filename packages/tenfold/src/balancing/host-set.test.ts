import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { seededRandom } from "../runtime/random.ts";
import { ejection } from "./ejection.ts";
import { HostState } from "./host.ts";
import { hostSet } from "./host-set.ts";
import { leastLoaded } from "./least-loaded.ts";
import { outcomeWindow } from "./outcome-window.ts";
import { nearShare, zoneLimits } from "./zones.ts";

interface Given {
  readonly zone: string;
  readonly weight: number;
  /** Out until then; in good standing without it. */
  readonly outUntil?: number | undefined;
}

const probes = { successesMin: 1, probeMs: 10, probeMsMax: 10, random: seededRandom("set") };

function listOf(given: readonly Given[]) {
  return given.map(({ zone, weight, outUntil }, index) => {
    const health = ejection(probes);
    if (outUntil !== undefined) {
      const saved = { failures: 1, successesOwed: 1, probes: 0, probeInMs: outUntil };
      health.restore(0, { ...saved, ejected: true });
    }
    const endpoint = { id: `h${index}`, weight, zone };
    const outcomes = outcomeWindow(1_000);
    const host = new HostState({ endpoint, health, outcomes, meter: leastLoaded().host() });
    host.weight = weight;
    return host;
  });
}

const ids = (list: readonly { readonly id: string }[]): string[] => list.map(({ id }) => id);
const well = (zone: string): Given => ({ zone, weight: 1 });
const out = (zone: string, outUntil: number): Given => ({ zone, weight: 1, outUntil });
const zone = zoneLimits({ own: "a" });

describe("the set of hosts", () => {
  it("leaves out those that are out, until the first of them is worth asking", () => {
    const list = listOf([well("a"), out("a", 9), out("a", 7), well("a"), well("a")]);
    const set = hostSet(list, 0, { panicShare: 0.5, zone: undefined });
    expect([ids(set.near), ids(set.failing)]).toEqual([
      ["h0", "h3", "h4"],
      ["h1", "h2"],
    ]);
    expect([set.panic, set.validUntil, set.nearShare]).toEqual([false, 7, 1]);
    expect(ids(hostSet(list, 7, { panicShare: 0.5, zone: undefined }).near)).toContain("h2");
  });

  it("takes all where too few are left", () => {
    const list = listOf([well("a"), out("a", 9), out("a", 9)]);
    expect(hostSet(list, 0, { panicShare: 0.5, zone: undefined })).toMatchObject({
      panic: true,
      near: list,
    });
    const half = hostSet(list, 0, { panicShare: 0.3, zone: undefined });
    expect([half.panic, ids(half.near)]).toEqual([false, ["h0"]]);
  });

  it("keeps near what the zone can carry, and everything where nobody is near", () => {
    const list = listOf([well("a"), well("a"), out("a", 9), out("a", 9), well("b"), well("b")]);
    const set = hostSet(list, 0, { panicShare: 0.5, zone });
    expect([ids(set.near), ids(set.far), set.nearShare]).toEqual([["h0", "h1"], ["h4", "h5"], 0.7]);
    const far = hostSet(list.slice(2), 0, { panicShare: 0.5, zone });
    expect([ids(far.near), far.far, far.nearShare]).toEqual([["h4", "h5"], [], 1]);
  });

  it("is never empty and holds each once, whoever is out and wherever they stand", () => {
    const host = fc.record({
      zone: fc.constantFrom("a", "b", "c"),
      weight: fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
      outUntil: fc.option(fc.nat(40), { nil: undefined }),
    });
    const lists = fc.array(host, { minLength: 1, maxLength: 12 });
    const panic = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(lists, panic, fc.nat(50), fc.boolean(), (given, panicShare, now, isZoned) => {
        const list = listOf(given);
        const set = hostSet(list, now, { panicShare, zone: isZoned ? zone : undefined });
        const taken = [...set.near, ...set.far];
        expect(set.near.length).toBeGreaterThan(0);
        expect(new Set(taken).size).toBe(taken.length);
        const isIn = list.filter((each) => !each.isOut(now));
        expect(new Set(taken)).toEqual(new Set(set.panic || isIn.length === 0 ? list : isIn));
        expect(set.nearShare).toBeGreaterThanOrEqual(0);
        expect(set.nearShare).toBeLessThanOrEqual(1);
        expect(set.validUntil).toBeGreaterThan(now);
      }),
    );
  });
});

it("a zone that lost a little serves itself, and one that lost more never gets more calls", () => {
  expect(nearShare(3, 4, 1.4)).toBe(1);
  expect(nearShare(2, 4, 1.4)).toBeCloseTo(0.7);
  expect(nearShare(0, 0, 1.4)).toBe(0);
  const part = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(part, part, fc.double({ min: 1, max: 10, noNaN: true }), (a, b, factor) => {
      const less = nearShare(Math.min(a, b), 1, factor);
      expect(less).toBeLessThanOrEqual(nearShare(Math.max(a, b), 1, factor));
      expect(less).toBeGreaterThanOrEqual(Math.min(a, b));
    }),
  );
});
