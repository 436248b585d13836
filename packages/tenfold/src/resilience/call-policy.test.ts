import { getEventListeners } from "node:events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { TenfoldError } from "../runtime/errors.ts";
import { down, policyStand, settled } from "../testing/policy-stand.ts";
import { incomingCall } from "./call-chain.ts";
import type { CallContext } from "./call-layer.ts";
import { type CallPolicyOptions, callPolicy } from "./call-policy.ts";
import { gcra } from "./rate-limiter.ts";

const code = (expected: string) => expect.objectContaining({ code: expected });

describe("run", () => {
  it("gives what the function gives, at once or later", async () => {
    const { policy } = policyStand();
    expect(await policy.run(() => 7)).toBe(7);
    expect(await policy.run(async ({ attempt, call }) => [attempt, call])).toEqual([1, 2]);
    expect(policy.explain()).toEqual([]);
  });

  it("makes a failed attempt again where that is safe, and tells why", async () => {
    const { clock, policy } = policyStand();
    let tries = 0;
    const call = policy.run(async () => {
      tries++;
      if (tries === 1) throw new Error("once");
      return "well";
    });
    await clock.advance(2_000);
    expect(await call).toBe("well");
    expect(policy.explain(1)).toMatchObject([{ kind: "retried", why: "failed", attempt: 1 }]);

    const writes = policy.run(down, { idempotent: false });
    await expect(writes).rejects.toThrow("down");
    expect(policy.explain(2)).toMatchObject([{ kind: "gaveUp", why: "notRetryable" }]);
  });

  it("retries no error that says another try is in vain, nor one of its caller's making", async () => {
    const { policy } = policyStand();
    let tries = 0;
    const failing = (error: Error) => () => {
      tries++;
      throw error;
    };
    const inVain = new TenfoldError("TENFOLD_POSTGRES_QUERY_FAILED", "no such column");
    await expect(policy.run(failing(inVain))).rejects.toBe(inVain);
    const invalid = new TenfoldError("TENFOLD_OPTION_INVALID", "user must be a number");
    await expect(policy.run(failing(invalid))).rejects.toBe(invalid);
    expect(tries).toBe(2);
    const { window } = policy.breaker?.save(0) ?? { window: [] };
    expect(window.at(-1)?.[0]).toBe(1);
  });

  it("judges results as it is told, and hands them on when retries are over", async () => {
    const { clock, policy } = policyStand({
      classifyResult: (value) => {
        const { status } = value as { status: number };
        if (status === 429) return { outcome: "overload", mayRetry: true, retryAfterMs: 400 };
        return status >= 500 ? "failure" : "success";
      },
    });
    let tries = 0;
    const call = policy.run(() => ({ status: ++tries === 1 ? 429 : 503 }));
    expect(await settled(call)).toBe("pending");
    await clock.advance(2_000);
    expect(await call).toEqual({ status: 503 });
    const [retried, gaveUp] = policy.explain(1);
    expect(retried).toMatchObject({ kind: "retried", why: "overload" });
    // All who were told the same do not come back at the same moment.
    expect(retried?.ms).toBeGreaterThan(400);
    expect(retried?.ms).toBeLessThanOrEqual(500);
    expect(gaveUp).toMatchObject({ kind: "gaveUp", why: "attemptsSpent" });
  });

  it("counts a classifier that throws as a failure of that call", async () => {
    const { policy } = policyStand({
      classifyResult: () => {
        throw new TypeError("no status");
      },
    });
    await expect(policy.run(() => 1)).rejects.toThrow("no status");
    expect(policy.bulkhead?.inUse).toBe(0);
  });

  it("stops retrying when the budget is used up", async () => {
    const { clock, policy } = policyStand({
      retryBudget: { ratio: 0.1, reservePerSecond: 0 },
      breaker: false,
    });
    let tries = 0;
    const fail = () => {
      tries++;
      return down();
    };
    const calls = Array.from({ length: 100 }, () => policy.run(fail).catch(() => {}));
    await clock.advance(2_000);
    await Promise.all(calls);
    expect(tries).toBe(110);
    expect(policy.explain().some(({ why }) => why === "budgetEmpty")).toBe(true);
  });
});

describe("time", () => {
  it("cuts an attempt, and the call at its deadline; the signal of each fires", async () => {
    const { clock, policy } = policyStand({ tryTimeoutMs: 300, deadlineMs: 500 });
    const signals: AbortSignal[] = [];
    const call = policy.run(({ signal }) => {
      signals.push(signal);
      return new Promise(() => {});
    });
    const outcome = call.catch((error: unknown) => [clock.now(), error]);
    await clock.advance(1_000);
    expect(await outcome).toEqual([500, code("TENFOLD_DEADLINE_EXCEEDED")]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    expect(signals[0]?.reason).toEqual(code("TENFOLD_RESILIENCE_TRY_TIMEOUT"));
    expect(policy.explain(1).map(({ kind, why }) => `${kind} ${why}`)).toEqual([
      "timedOut timeout",
      "retried timeout",
      "timedOut deadline",
      "gaveUp attemptsSpent",
    ]);
  });

  it("keeps to the sooner of its own, the call's and the caller's deadline", async () => {
    const { policy } = policyStand({ tryTimeoutMs: 9_000, deadlineMs: 1_000 });
    const of = (deadlineMs: number | undefined, header: string | undefined) => {
      const incoming = incomingCall((name) =>
        name === "tenfold-deadline-ms" ? header : undefined,
      );
      return policy.run((call) => call.remainingMs(), {
        incoming,
        ...(deadlineMs !== undefined && { deadlineMs }),
      });
    };
    expect(await of(undefined, undefined)).toBe(1_000);
    expect(await of(250, undefined)).toBe(250);
    expect(await of(2_000, "5000")).toBe(2_000);
    // A little sooner, so that an answer at the last moment is in time, with its signal.
    expect(await of(250, "80")).toBe(72);
    expect(await of(9_000, "5000")).toBe(4_900);
  });

  it("takes nothing off the longest deadline where none came from above", async () => {
    const { policy } = policyStand({ tryTimeoutMs: 600_000, deadlineMs: 600_000 });
    expect(await policy.run((call) => call.remainingMs())).toBe(600_000);
  });

  it("does not begin what is over already, and takes no probe for it", async () => {
    const { policy } = policyStand();
    let began = false;
    const call = policy.run(
      () => {
        began = true;
      },
      { deadlineMs: 0 },
    );
    await expect(call).rejects.toEqual(code("TENFOLD_DEADLINE_EXCEEDED"));
    expect(began).toBe(false);
    expect(policy.explain()).toMatchObject([{ kind: "refused", why: "deadline" }]);
  });

  it.each([-1, Number.NaN, 1e9, Number.POSITIVE_INFINITY])(
    "refuses the deadline %d",
    async (deadlineMs) => {
      const { policy } = policyStand();
      await expect(policy.run(() => 1, { deadlineMs })).rejects.toEqual(
        code("TENFOLD_OPTION_INVALID"),
      );
      expect(() => callPolicy({ deadlineMs })).toThrow(code("TENFOLD_OPTION_INVALID"));
      expect(() => callPolicy({ tryTimeoutMs: deadlineMs })).toThrow(/tryTimeoutMs must be/);
    },
  );

  it("gives up at once when the next attempt would come too late", async () => {
    const { clock, policy } = policyStand({
      classifyError: () => ({ outcome: "overload", retryAfterMs: 3_000 }),
    });
    await expect(policy.run(down, { deadlineMs: 2_900 })).rejects.toThrow("down");
    expect(clock.now()).toBe(0);
    expect(policy.explain()).toMatchObject([{ kind: "gaveUp", why: "deadline" }]);
  });

  it("gives a signal that has fired to who asks for it after the end", async () => {
    const { clock, policy } = policyStand({ tryTimeoutMs: 50, retry: false });
    let late: AbortSignal | undefined;
    const call = policy.run(async (context) => {
      await clock.sleep(200);
      late = context.signal;
    });
    const over = call.catch(() => {});
    await clock.advance(200);
    await over;
    expect(late?.reason).toEqual(code("TENFOLD_RESILIENCE_TRY_TIMEOUT"));
  });

  it("does not blame the callee for a deadline that left it no time", async () => {
    const { clock, policy } = policyStand({ breaker: { consecutiveMax: 1 }, deadlineMs: 1_000 });
    const hang = () => new Promise(() => {});
    const short = policy.run(hang, { deadlineMs: 20 }).catch(() => {});
    await clock.advance(2_000);
    await short;
    expect(policy.breaker?.state(clock.now())).toBe("closed");
    const whole = policy.run(hang).catch(() => {});
    await clock.advance(2_000);
    await whole;
    expect(policy.breaker?.state(clock.now())).toBe("open");
  });
});

it("leaves nothing behind, whatever callee and callers do", async () => {
  const plan = fc.record({
    afterMs: fc.nat(200),
    takesMs: fc.oneof(fc.nat(400), fc.constant(1e9)),
    ends: fc.constantFrom("well", "fails", "throws", "refuses"),
    deadlineMs: fc.nat(600),
    leavesAfterMs: fc.oneof(fc.nat(400), fc.constant(undefined)),
    idempotent: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(plan, { maxLength: 30 }), async (plans) => {
      const { clock, policy } = policyStand({
        tryTimeoutMs: 150,
        bulkhead: { callsMax: 2, waitersMax: 3, waitMs: 80 },
        breaker: { consecutiveMax: 4, openMs: 300, openMsMax: 600, probeLeaseMs: 400 },
        rateLimit: gcra({ perSecond: 50, burst: 5 }),
        retry: { attemptsMax: 3 },
      });
      const signals: AbortSignal[] = [];
      const calls = plans.map(async (each) => {
        await clock.sleep(each.afterMs);
        const gone = new AbortController();
        signals.push(gone.signal);
        if (each.leavesAfterMs !== undefined) {
          clock.setTimer(each.leavesAfterMs, () => gone.abort());
        }
        const { deadlineMs, idempotent } = each;
        const began = clock.now();
        const callee = ({ signal }: CallContext): Promise<string> => {
          if (each.ends === "throws") throw new Error("thrown");
          return clock.sleep(each.takesMs, { signal }).then(() => {
            if (each.ends === "well") return "well";
            throw new TenfoldError("TENFOLD_QUEUEING_FULL", each.ends, { retryable: true });
          });
        };
        await policy.run(callee, { deadlineMs, idempotent, signal: gone.signal }).catch(() => {});
        expect(clock.now() - began).toBeLessThanOrEqual(deadlineMs);
      });
      await clock.advance(2_000);
      await Promise.all(calls);
      expect([policy.bulkhead?.inUse, policy.bulkhead?.waiting, clock.pending]).toEqual([0, 0, 0]);
      const listeners = signals.flatMap((signal) => getEventListeners(signal, "abort"));
      expect(listeners).toEqual([]);
    }),
    { numRuns: 50 },
  );
});

it.each([
  { retries: 3 },
  { retry: { attempts: 3 } },
  { bulkhead: { limit: 3 } },
  { breaker: { threshold: 3 } },
])("refuses the unknown option in %j", (options) => {
  expect(() => callPolicy(options as CallPolicyOptions)).toThrow(code("TENFOLD_OPTION_UNKNOWN"));
});
