import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { seededRandom } from "../runtime/random.ts";
import { type CallOutcome, type CircuitBreaker, circuitBreaker } from "./circuit-breaker.ts";
import type { CircuitBreakerOptions } from "./circuit-breaker-options.ts";

const midway = { next: () => 0.5 };
const exact: CircuitBreakerOptions = { jitter: 0, random: midway };

/** Makes calls one after the other at one instant; how many were let through. */
function calls(breaker: CircuitBreaker, now: number, outcomes: readonly CallOutcome[], tookMs = 1) {
  let went = 0;
  for (const outcome of outcomes) {
    const permit = breaker.admit(now);
    if (permit === 0) continue;
    went++;
    breaker.settle(permit, now, outcome, tookMs);
  }
  return went;
}
const times = (count: number, outcome: CallOutcome) => new Array<CallOutcome>(count).fill(outcome);

describe("opens", () => {
  it("at failures in a row", () => {
    const breaker = circuitBreaker({ ...exact, consecutiveMax: 3 });
    calls(breaker, 0, ["failure", "failure", "success", "failure", "failure"]);
    expect(breaker.state(0)).toBe("closed");
    calls(breaker, 0, ["failure"]);
    expect(breaker.state(0)).toBe("open");
    expect(breaker.refusal(0).message).toContain("3 calls in a row failed");
  });

  it("at a rate of failures, and only with enough calls", () => {
    const breaker = circuitBreaker({ ...exact, consecutiveMax: 1_000, callsMin: 20 });
    calls(breaker, 0, [...times(10, "success"), ...times(9, "failure")]);
    expect(breaker.state(0)).toBe("closed");
    calls(breaker, 0, ["failure"]);
    expect(breaker.refusal(0).details.why).toBe("10 of 20 calls failed");
  });

  it("at a rate of slow calls that went well", () => {
    const breaker = circuitBreaker({ ...exact, slowMs: 200, callsMin: 4 });
    calls(breaker, 0, times(2, "success"), 199);
    calls(breaker, 0, times(2, "success"), 200);
    expect(breaker.refusal(0).details.why).toBe("2 of 4 calls were slow");
  });

  it("at overload by rate, not in a row; never at what is ignored", () => {
    const breaker = circuitBreaker({ ...exact, consecutiveMax: 3, callsMin: 10 });
    calls(breaker, 0, [...times(50, "ignored"), ...times(9, "overload")]);
    expect(breaker.state(0)).toBe("closed");
    calls(breaker, 0, ["overload"]);
    expect(breaker.state(0)).toBe("open");
  });
});

describe("while open", () => {
  const opened = (options: CircuitBreakerOptions = {}) => {
    const breaker = circuitBreaker({ ...exact, consecutiveMax: 1, ...options });
    calls(breaker, 0, ["failure"]);
    return breaker;
  };

  it("refuses with one error that says when to ask again", () => {
    const breaker = opened({ openMs: 1_000 });
    expect(breaker.admit(400)).toBe(0);
    const refusal = breaker.refusal(400);
    expect(refusal).toMatchObject({
      code: "TENFOLD_RESILIENCE_CIRCUIT_OPEN",
      retryable: false,
      retryAfterMs: 600,
    });
    expect(breaker.refusal(900)).toBe(refusal);
    expect(refusal.retryAfterMs).toBe(100);
  });

  it("doubles the open time at each failed return, up to a limit, and begins anew once closed", () => {
    const breaker = opened({ openMs: 1_000, openMsMax: 3_000, rampMs: 0, probes: 1 });
    const lengths: number[] = [];
    let now = 0;
    for (let i = 0; i < 4; i++) {
      lengths.push(breaker.retryAfterMs(now));
      now += breaker.retryAfterMs(now);
      calls(breaker, now, ["failure"]);
    }
    expect(lengths).toEqual([1_000, 2_000, 3_000, 3_000]);
    now += breaker.retryAfterMs(now);
    calls(breaker, now, ["success"]);
    expect(breaker.state(now)).toBe("closed");
    calls(breaker, now, ["failure"]);
    expect(breaker.retryAfterMs(now)).toBe(1_000);
  });

  it("spreads the returns of many callers over the jitter", () => {
    const random = seededRandom("returns");
    const ends = Array.from({ length: 500 }, () =>
      opened({ openMs: 1_000, jitter: 0.5, random }).retryAfterMs(0),
    );
    expect(Math.min(...ends)).toBeGreaterThanOrEqual(500);
    expect(Math.max(...ends)).toBeLessThanOrEqual(1_000);
    expect(Math.max(...ends) - Math.min(...ends)).toBeGreaterThan(400);
  });
});

describe("half-open", () => {
  const halfOpen = (options: CircuitBreakerOptions = {}) => {
    const limits = { openMs: 1_000, probes: 3, probeLeaseMs: 500, rampMs: 1_000 };
    const breaker = circuitBreaker({ ...exact, consecutiveMax: 1, ...limits, ...options });
    calls(breaker, 0, ["failure"]);
    return breaker;
  };
  const admitted = (breaker: CircuitBreaker, now: number, asked: number) =>
    Array.from({ length: asked }, () => breaker.admit(now)).filter((permit) => permit !== 0);

  it("leases so many probes, and refuses the rest at once", () => {
    const breaker = halfOpen();
    expect(admitted(breaker, 1_000, 1_000)).toHaveLength(3);
    expect(breaker.state(1_000)).toBe("halfOpen");
    expect(breaker.retryAfterMs(1_100)).toBe(400);
  });

  it("needs so many in all: what went well is not asked for again", () => {
    const breaker = halfOpen();
    const [first = 0] = admitted(breaker, 1_000, 9);
    breaker.settle(first, 1_000, "success", 1);
    expect(admitted(breaker, 1_000, 9)).toHaveLength(0);
  });

  it("hears nothing of calls that began before it opened, even when closed again", () => {
    const breaker = circuitBreaker({ ...exact, callsMin: 10, rampMs: 0, openMs: 1_000 });
    const late = admitted(breaker, 0, 30);
    calls(breaker, 0, times(10, "failure"));
    calls(breaker, 1_000, times(3, "success"));
    for (const permit of late) breaker.settle(permit, 1_000, "failure", 1_000);
    expect(breaker.state(1_000)).toBe("closed");
  });

  it("gives the lease of a probe that never ends to another", () => {
    const breaker = halfOpen();
    const [never = 0] = admitted(breaker, 1_000, 9);
    expect(admitted(breaker, 1_499, 9)).toHaveLength(0);
    const late = admitted(breaker, 1_500, 9);
    expect(late).toHaveLength(3);
    breaker.settle(never, 1_600, "failure", 600);
    expect(breaker.state(1_600)).toBe("halfOpen");
    for (const permit of late) breaker.settle(permit, 1_700, "success", 1);
    expect(breaker.state(1_700)).toBe("ramping");
  });

  it("opens again at one failed or slow probe; at overload without a longer open time", () => {
    for (const [outcome, tookMs, openMs] of [
      ["failure", 1, 2_000],
      ["success", 300, 2_000],
      ["overload", 1, 1_000],
    ] as const) {
      const breaker = halfOpen({ slowMs: 300 });
      calls(breaker, 1_000, [outcome], tookMs);
      expect([breaker.state(1_000), breaker.retryAfterMs(1_000)]).toEqual(["open", openMs]);
    }
  });

  it("gets a probe back whose outcome says nothing", () => {
    const breaker = halfOpen({ probes: 1 });
    expect(calls(breaker, 1_000, times(5, "ignored"))).toBe(5);
    expect(calls(breaker, 1_000, ["success"])).toBe(1);
    expect(breaker.state(1_000)).toBe("ramping");
  });

  it("ramps from a tenth of the calls to all of them, the first one at once", () => {
    const breaker = halfOpen();
    calls(breaker, 1_000, times(3, "success"));
    const share = (now: number) => calls(breaker, now, times(100, "success"));
    expect(calls(breaker, 1_000, ["success"])).toBe(1);
    expect(share(1_001)).toBeCloseTo(10, -0.5);
    expect(share(1_500)).toBeCloseTo(55, -0.5);
    expect(share(1_990)).toBeCloseTo(99, -0.5);
    expect(breaker.state(2_000)).toBe("closed");
    expect(share(2_000)).toBe(100);
  });

  it("opens for longer when it fails in the ramp", () => {
    const breaker = halfOpen({ consecutiveMax: 1_000, callsMin: 1 });
    calls(breaker, 1_000, times(3, "success"));
    calls(breaker, 1_900, times(6, "failure"));
    expect([breaker.state(1_900), breaker.retryAfterMs(1_900)]).toEqual(["open", 2_000]);
  });
});

it("obeys a person, and judges again when told to", () => {
  const breaker = circuitBreaker({ ...exact, consecutiveMax: 1, rampMs: 1_000 });
  breaker.forceOpen(0);
  expect([breaker.admit(1e9), breaker.state(1e9)]).toEqual([0, "forcedOpen"]);
  expect(breaker.refusal(1e9).details.why).toBe("its circuit was opened by hand");
  breaker.release(1e9);
  expect(breaker.state(1e9)).toBe("ramping");
  breaker.forceClose(1e9);
  expect(calls(breaker, 1e9, times(50, "failure"))).toBe(50);
  breaker.release(1e9);
  expect(breaker.state(1e9)).toBe("closed");
  calls(breaker, 1e9, ["failure"]);
  expect(breaker.state(1e9)).toBe("open");
});

describe("saved and restored", () => {
  const copyOf = (breaker: CircuitBreaker, now: number, at: number, awayMs = 0) => {
    const copy = circuitBreaker({ ...exact, consecutiveMax: 50, callsMin: 20 });
    copy.restore(at, JSON.parse(JSON.stringify(breaker.save(now))), awayMs);
    return copy;
  };
  const twin = () => circuitBreaker({ ...exact, consecutiveMax: 50, callsMin: 20 });

  it("goes on counting where it was", () => {
    const breaker = twin();
    calls(breaker, 0, [...times(10, "success"), ...times(9, "failure")]);
    const copy = copyOf(breaker, 0, 7e9);
    calls(copy, 7e9, ["failure"]);
    expect(copy.state(7e9)).toBe("open");
    const aged = copyOf(breaker, 0, 7e9, 10_000);
    calls(aged, 7e9, times(19, "failure"));
    expect(aged.state(7e9)).toBe("closed");
  });

  it("stays open for what is left, the time away taken off", () => {
    const breaker = twin();
    calls(breaker, 0, times(20, "failure"));
    const copy = copyOf(breaker, 1_000, 50, 500);
    expect([copy.admit(50), copy.refusal(50).retryAfterMs]).toEqual([0, 3_500]);
    expect(copyOf(breaker, 1_000, 50, 1e9).state(50)).toBe("halfOpen");
  });

  it("refuses what it did not save", () => {
    const good = twin().save(0);
    const bad: readonly unknown[] = [
      undefined,
      "closed",
      { ...good, format: 2 },
      { ...good, state: "broken" },
      { ...good, remainingMs: -1 },
      { ...good, trips: Number.NaN },
      { ...good, window: [[1, 2, 0]] },
      { ...good, window: [[1, 1]] },
      { ...good, window: new Array(11).fill([0, 0, 0]) },
      { ...good, window: [[1.5, 0, 0]] },
    ];
    for (const saved of bad) {
      const breaker = twin();
      calls(breaker, 0, times(20, "failure"));
      expect(() => breaker.restore(0, saved as typeof good)).toThrow(
        expect.objectContaining({ code: "TENFOLD_RESILIENCE_STATE_INVALID" }),
      );
      expect(breaker.state(0)).toBe("open");
    }
  });
});

it.each([
  { failureRate: 0 },
  { failureRate: Number.NaN },
  { windowMs: 1 },
  { openMs: 10, openMsMax: 5 },
  { slowMs: Number.POSITIVE_INFINITY },
  { probes: 0 },
  { jitter: 1.1 },
  { threshold: 5 },
])("refuses %j", (options) => {
  expect(() => circuitBreaker(options)).toThrow(/must be|has no/);
});

it("never lets more probes out than it may, nor stays shut, whatever clock and callers do", () => {
  const step = fc.tuple(
    fc.constantFrom("call", "settle", "settleTwice"),
    fc.oneof(fc.nat(3_000), fc.constantFrom(-1e9, 1e9, Number.NaN, Number.POSITIVE_INFINITY)),
    fc.constantFrom<CallOutcome>("success", "failure", "overload", "ignored"),
    fc.nat(),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.string(), (steps, seed) => {
      const limits = { probes: 2, probeLeaseMs: 2_000, consecutiveMax: 4, callsMin: 6 };
      const breaker = circuitBreaker({ ...limits, random: seededRandom(seed) });
      const out: number[] = [];
      let now = 0;
      for (const [kind, wait, outcome, pick] of steps) {
        now = Number.isFinite(now + wait) ? now + wait : wait;
        if (kind === "call") {
          const before = breaker.state(now);
          const permit = breaker.admit(now);
          if (before === "open") expect(permit).toBe(0);
          if (before === "closed") expect(permit).toBeGreaterThan(0);
          if (permit !== 0) out.push(permit);
        } else {
          const permit = out[pick % Math.max(1, out.length)] ?? pick;
          breaker.settle(permit, now, outcome, 1);
          if (kind === "settleTwice") breaker.settle(permit, now, outcome, 1);
        }
        if (breaker.state(now) === "halfOpen") {
          const burst = Array.from({ length: 10 }, () => breaker.admit(now));
          const went = burst.filter((permit) => permit !== 0);
          expect(went.length).toBeLessThanOrEqual(2);
          out.push(...went);
        }
        expect(breaker.retryAfterMs(now)).toBeLessThanOrEqual(60_000);
        if (!Number.isFinite(now)) now = 0;
      }
      // However long the open time was: then it asks again, and is well again once the callee is.
      let at = Math.max(now, 0);
      for (let round = 0; round < 10 && breaker.state(at) !== "closed"; round++) {
        at += 61_000;
        calls(breaker, at, times(2, "success"));
      }
      expect(breaker.state(at)).toBe("closed");
    }),
  );
});
