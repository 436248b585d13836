import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { balancer } from "../balancing/balancer.ts";
import { type Bulkhead, bulkhead } from "../resilience/bulkhead.ts";
import { type CircuitBreaker, circuitBreaker } from "../resilience/circuit-breaker.ts";
import { gcra } from "../resilience/rate-limiter.ts";
import { retryBudget } from "../resilience/retry-budget.ts";
import { seededRandom } from "../runtime/random.ts";
import { type BalancedCallerOptions, balancedCaller } from "./balanced-caller.ts";
import { openLoop } from "./open-loop.ts";
import { type Caller, type Replay, replay } from "./replay.ts";
import { replayFigures } from "./replay-figures.ts";
import type { Fault, ServerSpec } from "./server-model.ts";

const servers = ["a", "b", "c"].map((id): ServerSpec => {
  return { id, slots: 4, queueMax: 1_000, serviceMs: 10 };
});
const trace = openLoop({ seed: "trace", durationMs: 20_000, perSecond: 300, clients: 1 });
const [fromMs, toMs] = [5_000, 8_000];
const dead = servers.map(({ id }): Fault => {
  return { kind: "failing", server: id, fromMs, toMs, share: 1, afterMs: 1 };
});

type Others = Omit<BalancedCallerOptions, "balancer">;

const callerWith =
  (others: (client: number) => Others) =>
  (client: number): Caller => {
    const choice = balancer({ random: seededRandom(`client-${client}`) });
    choice.update(servers.map(({ id }) => ({ id, weight: 1 })));
    return balancedCaller({ balancer: choice, ...others(client) });
  };

const circuit = (): CircuitBreaker =>
  circuitBreaker({
    openMs: 1_000,
    openMsMax: 2_000,
    jitter: 0,
    rampMs: 500,
    random: seededRandom("circuit"),
  });

describe("a balanced caller", () => {
  it("asks nobody while its circuit is open, and all again soon after the fault", () => {
    const breaker = circuit();
    const states: string[] = [];
    const inner = callerWith(() => ({ breaker }));
    const caller = (client: number): Caller => {
      const { call } = inner(client);
      return {
        call(arrival, line) {
          const state = breaker.state(line.now());
          if (states.at(-1) !== state) states.push(state);
          call(arrival, line);
        },
      };
    };
    const run = replay({ trace, servers, faults: dead, caller });
    expect(states.slice(0, 3)).toEqual(["closed", "open", "halfOpen"]);
    expect(states.slice(-2)).toEqual(["ramping", "closed"]);
    const opened = replayFigures(run, fromMs + 200, fromMs + 900);
    expect(opened.attemptsPerCall).toBe(0);
    expect(replayFigures(run, 0, fromMs).failed).toBe(0);
    expect(replayFigures(run, toMs + 4_000).failed).toBe(0);
  });

  it("keeps its circuit closed while one server is well", () => {
    const breaker = circuitBreaker({ consecutiveMax: 1 });
    const caller = callerWith(() => ({ breaker, attemptsMax: 1 }));
    const run = replay({ trace, servers, faults: dead.slice(0, 2), caller });
    const outage = replayFigures(run, fromMs, toMs);
    expect(outage.failed).toBeGreaterThan(0);
    expect(outage.attemptsPerCall).toBeGreaterThanOrEqual(1);
  });

  it("has no more calls under way than its bulkhead, and turns away what waits too long", () => {
    const frozen = servers.map(({ id }): Fault => {
      return { kind: "frozen", server: id, fromMs, toMs };
    });
    const places = bulkhead<() => void>({ callsMax: 20, waitersMax: 3, waitMs: 100 });
    const caller = callerWith(() => ({ bulkhead: places, tryTimeoutMs: 10_000 }));
    const run = replay({ trace, servers, faults: frozen, caller });
    const within = replayFigures(run, fromMs + 500, toMs - 500);
    expect(within).toMatchObject({ failed: 1, attemptsPerCall: 0 });
    // Turned away at once where the line is full, otherwise when the wait is over.
    expect(longestWait(run, fromMs + 500, toMs - 500)).toBeCloseTo(100);
    expect(replayFigures(run, toMs + 1_000).failed).toBe(0);
    expect(places).toMatchObject({ inUse: 0, waiting: 0 });
  });

  it("makes no more calls than its limit", () => {
    const rateLimit = gcra({ perSecond: 100, burst: 10 });
    const run = replay({ trace, servers, caller: callerWith(() => ({ rateLimit })) });
    expect(run.picks.length).toBeGreaterThan(1_990);
    expect(run.picks.length).toBeLessThanOrEqual(10 + 2_000 + 1);
  });

  it("gives the same picks for the same seed, whatever its policies", () => {
    const options = fc.record({
      clients: fc.integer({ min: 1, max: 4 }),
      attemptsMax: fc.integer({ min: 1, max: 4 }),
      callsMax: fc.integer({ min: 1, max: 30 }),
      waitMs: fc.integer({ min: 1, max: 200 }),
      tryTimeoutMs: fc.integer({ min: 5, max: 500 }),
      perSecond: fc.integer({ min: 50, max: 1_000 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      seed: fc.string(),
    });
    fc.assert(
      fc.property(options, (given) => {
        const { clients, attemptsMax, callsMax, waitMs, tryTimeoutMs, share, seed } = given;
        const calls = openLoop({ seed, durationMs: 2_000, perSecond: 400, clients });
        const faults = dead.map((fault) => ({ ...fault, fromMs: 500, toMs: 1_200, share }));
        const played = () => {
          const bulkheads: Bulkhead<() => void>[] = [];
          const caller = callerWith(() => {
            const places = bulkhead<() => void>({ callsMax, waitMs });
            bulkheads.push(places);
            return {
              attemptsMax,
              tryTimeoutMs,
              rateLimit: gcra({ perSecond: given.perSecond, burst: 10 }),
              retryBudget: retryBudget(),
              breaker: circuit(),
              bulkhead: places,
            };
          });
          return { run: replay({ trace: calls, servers, faults, caller }), bulkheads };
        };
        const { run, bulkheads } = played();
        expect(run.picks).toEqual(played().run.picks);
        expect(run.calls.every(({ endMs }) => endMs > 0)).toBe(true);
        expect(run.calls.every(({ ok, attempts }) => !ok || attempts >= 1)).toBe(true);
        for (const places of bulkheads) expect(places).toMatchObject({ inUse: 0, waiting: 0 });
      }),
      { numRuns: 30 },
    );
  });
});

function longestWait({ calls }: Replay, fromMs: number, toMs: number): number {
  const within = calls.filter(({ arrival: { atMs } }) => atMs >= fromMs && atMs < toMs);
  return Math.max(...within.map(({ arrival, endMs }) => endMs - arrival.atMs));
}
