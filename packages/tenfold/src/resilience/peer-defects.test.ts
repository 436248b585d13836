import { getEventListeners } from "node:events";
import { expect, it } from "vitest";

import type { TenfoldError } from "../runtime/errors.ts";
import { seededRandom } from "../runtime/random.ts";
import { policyStand } from "../testing/policy-stand.ts";
import { incomingCall } from "./call-chain.ts";
import type { CallContext } from "./call-layer.ts";
import { breakerLayer, deadlineLayer, tryTimeoutLayer } from "./call-layers.ts";
import { type CallOutcome, type CircuitBreaker, circuitBreaker } from "./circuit-breaker.ts";
import { layeredPolicy } from "./layered-policy.ts";

/** What was measured or reported of other libraries, as cases that this one must pass. */
const defects: readonly [seenIn: string, defect: string, check: () => Promise<void> | void][] = [
  [
    "opossum 10",
    "a failing call costs more the more calls the window holds",
    () => {
      const breaker = circuitBreaker({ callsMin: 1_000_000, consecutiveMax: 1_000_000 });
      const size = () => JSON.stringify(breaker.save(500)).length;
      settleAll(breaker, 500, 10, "failure");
      const few = size();
      settleAll(breaker, 500, 50_000, "failure");
      // Counts grew by some digits; nothing is kept of a single call.
      expect(size() - few).toBeLessThan(20);
    },
  ],
  [
    "opossum 10",
    "what the bulkhead turns away counts as failures of the callee",
    async () => {
      const { clock, policy } = policyStand({ bulkhead: { callsMax: 1, waitersMax: 0 } });
      const busy = policy.run(() => clock.sleep(10));
      for (let i = 0; i < 100; i++) await policy.run(() => 1).catch(() => {});
      await clock.advance(10);
      await busy;
      expect(judged(policy.breaker)).toBe(1);
    },
  ],
  [
    "opossum 10",
    "what the open circuit turns away counts among the calls",
    async () => {
      const { policy } = policyStand();
      policy.breaker?.forceOpen(0);
      for (let i = 0; i < 100; i++) await policy.run(() => 1).catch(() => {});
      expect(judged(policy.breaker)).toBe(0);
    },
  ],
  [
    "opossum 10",
    "a late success of before the trip closes a half-open circuit",
    () => {
      const breaker = circuitBreaker({ consecutiveMax: 1, probes: 1, jitter: 0 });
      const late = breaker.admit(0);
      settleAll(breaker, 0, 1, "failure");
      expect(breaker.state(5_000)).toBe("halfOpen");
      breaker.settle(late, 5_000, "success", 5_000);
      expect(breaker.state(5_000)).toBe("halfOpen");
    },
  ],
  [
    "opossum 10, nginx, Envoy's default",
    "the time until it asks again is always the same, for all clients",
    () => {
      const lengths = [1, 2].map((seed) => {
        const random = seededRandom(String(seed));
        const breaker = circuitBreaker({ consecutiveMax: 1, random });
        settleAll(breaker, 0, 1, "failure");
        const first = breaker.retryAfterMs(0);
        settleAll(breaker, first, 1, "failure");
        return [first, breaker.retryAfterMs(first)] as const;
      });
      const [[a, longer], [b]] = lengths as [readonly [number, number], readonly [number, number]];
      expect(a).not.toBe(b);
      expect(longer).toBeGreaterThan(5_000 / 2);
    },
  ],
  [
    "opossum: one controller for all calls, which stays aborted",
    "one time-out aborts every call under way, and those that follow",
    async () => {
      const { clock, policy } = policyStand({ tryTimeoutMs: 100, retry: false });
      const signals: AbortSignal[] = [];
      const call = (ms: number) =>
        policy.run(({ signal }) => {
          signals.push(signal);
          return clock.sleep(ms);
        });
      const hangs = call(1_000).catch(() => {});
      await clock.advance(90);
      const fine = call(50);
      await clock.advance(60);
      const next = call(10);
      await clock.advance(10);
      await Promise.all([hangs, fine, next]);
      expect(signals.map(({ aborted }) => aborted)).toEqual([true, false, false]);
    },
  ],
  [
    "opossum, resilience4j: half-open for ever",
    "a probe that never ends, or says nothing, keeps the circuit half-open",
    () => {
      const breaker = circuitBreaker({ consecutiveMax: 1, probes: 1, jitter: 0, rampMs: 0 });
      settleAll(breaker, 0, 1, "failure");
      expect(breaker.admit(5_000)).toBeGreaterThan(0);
      settleAll(breaker, 15_000, 1, "ignored");
      settleAll(breaker, 15_000, 1, "success");
      expect(breaker.state(15_000)).toBe("closed");
    },
  ],
  [
    "opossum before 7.1: state needs timers",
    "state cannot be taken along where no process stays",
    () => {
      const breaker = circuitBreaker({ consecutiveMax: 1, jitter: 0 });
      settleAll(breaker, 0, 1, "failure");
      const next = circuitBreaker();
      next.restore(1e6, JSON.parse(JSON.stringify(breaker.save(0))));
      expect(next.admit(1e6)).toBe(0);
    },
  ],
  [
    "cockatiel 4",
    "after an idle hour counts of before it still trip the circuit",
    () => {
      const breaker = circuitBreaker({ callsMin: 100, consecutiveMax: 1_000 });
      settleAll(breaker, 0, 99, "failure");
      settleAll(breaker, 3_600_000, 99, "failure");
      expect(breaker.state(3_600_000)).toBe("closed");
      settleAll(breaker, 3_600_000, 1, "failure");
      expect(breaker.state(3_600_000)).toBe("open");
    },
  ],
  [
    "cockatiel 4",
    "while half-open all callers wait for the probe",
    async () => {
      const { clock, policy } = policyStand({
        breaker: { consecutiveMax: 1, probes: 1 },
        retry: false,
      });
      await policy.run(() => Promise.reject(new Error("down"))).catch(() => {});
      await clock.advance(5_000);
      const probe = policy.run(() => clock.sleep(300));
      let turnedAway = 0;
      const others = Array.from({ length: 1_000 }, () =>
        policy.run(() => 1).catch(() => turnedAway++),
      );
      await Promise.all(others);
      expect(turnedAway).toBe(1_000);
      await clock.advance(300);
      await probe;
    },
  ],
  [
    "safe-client-gateway on a breaker of its own",
    "half-open lets through all that comes until the first time-out: 17 x the load",
    () => {
      const breaker = circuitBreaker({ consecutiveMax: 1, probes: 3, jitter: 0 });
      settleAll(breaker, 0, 1, "failure");
      const went = Array.from({ length: 5_000 }, (_, i) => breaker.admit(5_000 + i));
      expect(went.filter((permit) => permit !== 0)).toHaveLength(3);
    },
  ],
  [
    "cockatiel 4",
    "a caller that goes away waits out the delay between attempts",
    async () => {
      const { clock, policy } = policyStand({ retry: { firstMs: 60_000, maxMs: 60_000 } });
      const gone = new AbortController();
      const call = policy.run(() => Promise.reject(new Error("down")), {
        signal: gone.signal,
        deadlineMs: 600_000,
      });
      await clock.advance(0);
      gone.abort();
      await expect(call).rejects.toThrow("aborted by its caller");
      expect(clock.now()).toBe(0);
    },
  ],
  [
    "cockatiel: the order of wrapping",
    "an outer retry repeats what the open circuit refuses",
    async () => {
      const { policy } = policyStand({ retry: { attemptsMax: 10 } });
      policy.breaker?.forceOpen(0);
      await policy.run(() => 1).catch(() => {});
      expect(policy.explain().filter(({ kind }) => kind === "retried")).toEqual([]);
    },
  ],
  [
    "cockatiel: listener leaks",
    "each call leaves a listener on the caller's signal",
    async () => {
      const { clock, policy } = policyStand();
      const { signal } = new AbortController();
      for (let i = 0; i < 20; i++) await policy.run(() => clock.advance(1), { signal });
      expect(getEventListeners(signal, "abort")).toHaveLength(0);
    },
  ],
  [
    "cockatiel: is it total or extra?",
    "`maxAttempts` makes one attempt more than it says",
    async () => {
      const { clock, policy } = policyStand({ retry: { attemptsMax: 3 } });
      let tries = 0;
      const call = policy.run(() => {
        tries++;
        return Promise.reject(new Error("down"));
      });
      const over = call.catch(() => {});
      await clock.advance(5_000);
      await over;
      expect(tries).toBe(3);
    },
  ],
  [
    "moleculer 0.15",
    "the circuit sees no time-outs for the order of the middlewares",
    async () => {
      const { clock, policy } = policyStand({
        tryTimeoutMs: 50,
        retry: false,
        breaker: { consecutiveMax: 2 },
      });
      for (let i = 0; i < 2; i++) {
        const call = policy.run(() => new Promise(() => {})).catch(() => {});
        await clock.advance(50);
        await call;
      }
      expect(policy.breaker?.state(clock.now())).toBe("open");
      const wrong = () =>
        layeredPolicy([deadlineLayer(9), tryTimeoutLayer(9), breakerLayer(circuitBreaker())]);
      expect(wrong).toThrow(/breaker belongs outside of tryTimeout/);
    },
  ],
  [
    "moleculer 0.15",
    "a call's own time-out is not heeded, and after retries the error is another one",
    async () => {
      const { clock, policy } = policyStand();
      const call = policy.run(() => Promise.reject(new Error("the disk is full")));
      const why = call.catch((error: Error) => error.message);
      await clock.advance(1_000);
      expect(await why).toBe("the disk is full");
      const began = clock.now();
      const hang = policy.run(() => new Promise(() => {}), { deadlineMs: 70 });
      const ended = hang.catch(() => clock.now() - began);
      await clock.advance(1_000);
      expect(await ended).toBe(70);
    },
  ],
  [
    "moleculer #874",
    "what timed out is still done by its callee, and then done again: duplicates",
    async () => {
      const { clock, policy } = policyStand({ tryTimeoutMs: 50, retry: { attemptsMax: 3 } });
      const done: number[] = [];
      const act = async ({ attempt, signal }: CallContext) => {
        await clock.sleep(80, { signal });
        done.push(attempt);
      };
      const once = policy
        .run(act, { idempotent: false })
        .catch((error: TenfoldError) => error.code);
      await clock.advance(1_000);
      expect([await once, done]).toEqual(["TENFOLD_RESILIENCE_TRY_TIMEOUT", []]);
      // Even by a callee that heeds no signal: what may not be done twice is not.
      const deaf = async () => {
        await clock.sleep(80);
        done.push(1);
      };
      const other = policy.run(deaf, { idempotent: false }).catch(() => {});
      await clock.advance(1_000);
      await other;
      expect(done).toEqual([1]);
      // And the callee is told how long it is waited for; after that it does not begin.
      const incoming = incomingCall((name) => (name === "tenfold-deadline-ms" ? "0" : undefined));
      await policy.run(deaf, { incoming }).catch(() => {});
      await clock.advance(1_000);
      expect(done).toEqual([1]);
    },
  ],
  [
    "undici 8, moleculer 0.15",
    "retries without a budget, all after the same delay",
    async () => {
      const { clock, policy } = policyStand({
        breaker: false,
        bulkhead: false,
        retryBudget: { reservePerSecond: 0, ratio: 0.2 },
      });
      const down = () => Promise.reject(new Error("down"));
      const calls = Array.from({ length: 100 }, () => policy.run(down).catch(() => {}));
      await clock.advance(1_000);
      await Promise.all(calls);
      const retried = policy.explain().filter(({ kind }) => kind === "retried");
      expect(retried).toHaveLength(20);
      expect(new Set(retried.map(({ ms }) => ms)).size).toBe(20);
    },
  ],
  [
    "Finagle, Linkerd before its ring",
    "a quick burst of failures weighs next to nothing in a decayed average",
    () => {
      const breaker = circuitBreaker({ callsMin: 20, consecutiveMax: 1_000 });
      for (let i = 0; i < 40; i++) settleAll(breaker, i * 100, 1, "success");
      settleAll(breaker, 4_000, 40, "failure");
      expect(breaker.state(4_000)).toBe("open");
    },
  ],
];

it.each(defects)("%s: %s", async (_seenIn, _defect, check) => {
  await check();
});

function settleAll(breaker: CircuitBreaker, now: number, count: number, outcome: CallOutcome) {
  for (let i = 0; i < count; i++) breaker.settle(breaker.admit(now), now, outcome, 1);
}

/** How many calls the circuit has judged. */
function judged(breaker: CircuitBreaker | undefined): number {
  const parts = breaker?.save(0).window ?? [];
  return parts.reduce((sum, [calls]) => sum + calls, 0);
}
