import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { isTenfoldError } from "../runtime/errors.ts";
import { type BalancerState, checkBalancerState } from "./balancer-state.ts";
import { hosts, pool } from "./pool.fixture.ts";

const health = { failures: 2, ejected: true, successesOwed: 1, probes: 3, probeInMs: 250 };
const endpoint = { id: "h0", latencyMs: 7.5, health };
const stateOf = (...endpoints: unknown[]): unknown => ({ version: 1, endpoints });

const codeOf = (state: unknown): unknown => {
  try {
    checkBalancerState(state);
    return undefined;
  } catch (error) {
    return isTenfoldError(error) ? error.code : error;
  }
};

describe("a state", () => {
  it("is taken as it is", () => {
    expect(checkBalancerState(stateOf(endpoint))).toEqual(stateOf(endpoint));
    expect(codeOf(stateOf({ id: "new", health: { ...health, failures: 0, ejected: false } }))).toBe(
      undefined,
    );
  });

  it.each<[string, unknown]>([
    ["nothing", null],
    ["a list", []],
    ["another version", { version: "1", endpoints: [] }],
    ["an object whose text is no text", { version: { toString: 1 }, endpoints: [] }],
    ["endpoints that are no list", { version: 1, endpoints: { length: 1 } }],
    ["an endpoint that is none", stateOf(null)],
    ["no name", stateOf({ ...endpoint, id: 1 })],
    ["a latency that is none", stateOf({ ...endpoint, latencyMs: null })],
    ["a latency below 0", stateOf({ ...endpoint, latencyMs: -1 })],
    ["endless waiting", stateOf({ ...endpoint, health: { ...health, probeInMs: 1e300 } })],
    ["a count in words", stateOf({ ...endpoint, health: { ...health, probes: "3" } })],
    [
      "one that is out without a failure",
      stateOf({ ...endpoint, health: { ...health, failures: 0 } }),
    ],
    [
      "more successes owed than one can owe",
      stateOf({ ...endpoint, health: { ...health, successesOwed: 101 } }),
    ],
  ])("is refused with %s", (_what, state) => {
    expect(codeOf(state)).toBe("TENFOLD_BALANCING_STATE_INVALID");
  });

  it("of any JSON is taken or refused by its code, and the balancer picks on", () => {
    const noise = fc.jsonValue();
    const almost = fc.record({
      id: fc.constantFrom("h0", "h1", "h2"),
      latencyMs: fc.oneof(fc.double({ noNaN: true }), fc.maxSafeNat(), noise),
      health: fc.record({
        failures: fc.oneof(fc.maxSafeNat(), noise),
        ejected: fc.oneof(fc.boolean(), noise),
        successesOwed: fc.oneof(fc.nat(120), noise),
        probes: fc.oneof(fc.maxSafeNat(), noise),
        probeInMs: fc.oneof(fc.maxSafeNat(), noise),
      }),
    });
    const anything = fc.oneof(
      noise,
      fc.array(almost).map((list) => stateOf(...list)),
    );
    fc.assert(
      fc.property(anything, (state) => {
        const choice = pool(hosts(3));
        const before = choice.save(0);
        try {
          choice.restore(0, state as BalancerState);
        } catch (error) {
          expect(isTenfoldError(error, "TENFOLD_BALANCING_STATE_INVALID")).toBe(true);
          expect(choice.save(0)).toEqual(before);
        }
        expect(choice.pick(1)).toBeDefined();
      }),
    );
  });

  it("saved, restored elsewhere and saved again is the same", () => {
    const call = fc.record({
      outcome: fc.constantFrom("success" as const, "failure" as const, "cancelled" as const),
      latencyMs: fc.nat(90_000),
      waitMs: fc.nat(3_000),
    });
    const calls = fc.array(call, { maxLength: 100 });
    fc.assert(
      fc.property(calls, fc.constantFrom(2_500, 600_000), (given, probeMsMax) => {
        const choice = pool(hosts(3), { probeMsMax });
        let now = 0;
        for (const { outcome, latencyMs, waitMs } of given) {
          now += waitMs;
          const picked = choice.pick(now, { mayProbe: true });
          picked?.report(now, outcome, latencyMs);
          picked?.release();
        }
        const state = JSON.parse(JSON.stringify(choice.save(now)));
        const other = pool(hosts(3), { probeMsMax });
        other.restore(0, state);
        const again = other.save(0);
        expect(again.endpoints.map(({ id }) => id)).toEqual(["h0", "h1", "h2"]);
        for (const [index, { health: found, ...rest }] of again.endpoints.entries()) {
          const { probeInMs, ...counts } = state.endpoints[index].health;
          expect(rest).toEqual({ ...state.endpoints[index], health: undefined });
          expect(found).toMatchObject(counts);
          // Clocks with another origin round differently.
          expect(found.probeInMs).toBeCloseTo(probeInMs, 6);
        }
      }),
    );
  });
});
