import { getEventListeners } from "node:events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { abortError, TenfoldError } from "../runtime/errors.ts";
import { seededRandom } from "../runtime/random.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";
import { incomingCall, saysRetryStop } from "./call-chain.ts";
import type { CallContext } from "./call-layer.ts";
import { type CallPolicyOptions, callPolicy } from "./call-policy.ts";
import { guard } from "./guard.ts";
import { gcra } from "./rate-limiter.ts";

function stand(options: CallPolicyOptions = {}) {
  const clock = virtualClock();
  const runtime = { clock, random: seededRandom("calls") };
  const policy = callPolicy({ idempotent: true, ...options, runtime });
  return { clock, policy };
}
const down = () => Promise.reject(new Error("down"));
const code = (expected: string) => expect.objectContaining({ code: expected });

/** What a promise has come to by now. */
async function settled<T>(promise: Promise<T>): Promise<T | Error | "pending"> {
  const pending = Symbol();
  const turn = new Promise<symbol>((resolve) => setImmediate(() => resolve(pending)));
  const first = await Promise.race([promise.catch((error: Error) => error), turn]);
  return first === pending ? "pending" : (first as T | Error);
}

describe("run", () => {
  it("gives what the function gives, at once or later", async () => {
    const { policy } = stand();
    expect(await policy.run(() => 7)).toBe(7);
    expect(await policy.run(async ({ attempt, call }) => [attempt, call])).toEqual([1, 2]);
    expect(policy.explain()).toEqual([]);
  });

  it("makes a failed attempt again where that is safe, and tells why", async () => {
    const { clock, policy } = stand();
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
    const { policy } = stand();
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
    const { clock, policy } = stand({
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
    expect(policy.explain(1)).toMatchObject([
      { kind: "retried", why: "overload", ms: 400 },
      { kind: "gaveUp", why: "attemptsSpent" },
    ]);
  });

  it("counts a classifier that throws as a failure of that call", async () => {
    const { policy } = stand({
      classifyResult: () => {
        throw new TypeError("no status");
      },
    });
    await expect(policy.run(() => 1)).rejects.toThrow("no status");
    expect(policy.bulkhead?.inUse).toBe(0);
  });

  it("stops retrying when the budget is used up", async () => {
    const { clock, policy } = stand({
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
    const { clock, policy } = stand({ tryTimeoutMs: 300, deadlineMs: 500 });
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
    const { policy } = stand({ tryTimeoutMs: 9_000, deadlineMs: 1_000 });
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
    expect(await of(250, "80")).toBe(80);
  });

  it("does not begin what is over already, and takes no probe for it", async () => {
    const { policy } = stand();
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
      const { policy } = stand();
      await expect(policy.run(() => 1, { deadlineMs })).rejects.toEqual(
        code("TENFOLD_OPTION_INVALID"),
      );
      expect(() => callPolicy({ deadlineMs })).toThrow(code("TENFOLD_OPTION_INVALID"));
      expect(() => callPolicy({ tryTimeoutMs: deadlineMs })).toThrow(/tryTimeoutMs must be/);
    },
  );

  it("gives up at once when the next attempt would come too late", async () => {
    const { clock, policy } = stand({
      classifyError: () => ({ outcome: "overload", retryAfterMs: 3_000 }),
    });
    await expect(policy.run(down, { deadlineMs: 2_900 })).rejects.toThrow("down");
    expect(clock.now()).toBe(0);
    expect(policy.explain()).toMatchObject([{ kind: "gaveUp", why: "deadline" }]);
  });

  it("gives a signal that has fired to who asks for it after the end", async () => {
    const { clock, policy } = stand({ tryTimeoutMs: 50, retry: false });
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
    const { clock, policy } = stand({ breaker: { consecutiveMax: 1 }, deadlineMs: 1_000 });
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

describe("the caller's signal", () => {
  it("ends a call before it begins, under way, in line and between attempts", async () => {
    const { clock, policy } = stand({
      bulkhead: { callsMax: 1 },
      retry: { firstMs: 1_000, maxMs: 1_000 },
      retryBudget: { reservePerSecond: 10 },
    });
    const reason = new Error("the user left");
    const gone = AbortSignal.abort(reason);
    const aborted = expect.objectContaining({ code: "TENFOLD_ABORTED", cause: reason });
    await expect(policy.run(() => 1, { signal: gone })).rejects.toEqual(aborted);

    const leave = (at: AbortController) => at.abort(reason);
    const between = new AbortController();
    const retried = policy.run(down, { signal: between.signal });
    expect(await settled(retried)).toBe("pending");
    leave(between);
    await expect(retried).rejects.toEqual(aborted);

    const under = new AbortController();
    let seen: AbortSignal | undefined;
    const busy = policy.run(
      ({ signal }) => {
        seen = signal;
        return new Promise(() => {});
      },
      { signal: under.signal },
    );
    const line = new AbortController();
    const waiting = policy.run(() => 1, { signal: line.signal });
    expect(await settled(waiting)).toBe("pending");
    leave(line);
    await expect(waiting).rejects.toEqual(aborted);
    leave(under);
    await expect(busy).rejects.toEqual(aborted);
    expect(seen?.aborted).toBe(true);
    expect(abortError(seen as AbortSignal).code).toBe("TENFOLD_ABORTED");
    expect([policy.bulkhead?.inUse, policy.bulkhead?.waiting, clock.pending]).toEqual([0, 0, 0]);
    expect(policy.breaker?.save(clock.now()).consecutive).toBe(1);
  });

  it("keeps no listener of a call that is over", async () => {
    const { clock, policy } = stand({ bulkhead: { callsMax: 2 } });
    const { signal } = new AbortController();
    const calls = Array.from({ length: 50 }, (_, i) =>
      policy.run(() => (i % 3 === 0 ? down() : clock.sleep(5)), { signal }).catch(() => {}),
    );
    await clock.advance(2_000);
    await Promise.all(calls);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
    expect(clock.pending).toBe(0);
  });
});

describe("turned away", () => {
  it("by the rate limit, the bulkhead and the circuit: coded, with when to ask again", async () => {
    const { clock, policy } = stand({ rateLimit: gcra({ perSecond: 10, burst: 1 }) });
    await policy.run(() => 1);
    await expect(policy.run(() => 1)).rejects.toMatchObject({
      code: "TENFOLD_RESILIENCE_RATE_LIMITED",
      retryAfterMs: 100,
    });

    const narrow = stand({ bulkhead: { callsMax: 1, waitersMax: 1, waitMs: 50 } });
    const slow = narrow.policy.run(() => narrow.clock.sleep(80));
    const inLine = narrow.policy.run(() => 1).catch((error: unknown) => error);
    const full = code("TENFOLD_RESILIENCE_BULKHEAD_FULL");
    await expect(narrow.policy.run(() => 1)).rejects.toEqual(full);
    await narrow.clock.advance(2_000);
    expect(await inLine).toEqual(full);
    await slow;

    policy.breaker?.forceOpen(clock.now());
    await clock.advance(1_000);
    await expect(policy.run(() => 1)).rejects.toEqual(code("TENFOLD_RESILIENCE_CIRCUIT_OPEN"));
    const why = policy.explain().map((each) => `${each.call} ${each.kind} ${each.why}`);
    expect(why).toContain("2 refused rateLimited");
    expect(why).toContain("3 circuitChanged forcedOpen");
    expect(why).toContain("3 refused circuitOpen");
  });

  it("goes in when a place comes free, and the time in line is not the callee's", async () => {
    const { clock, policy } = stand({
      bulkhead: { callsMax: 1, waitMs: 100 },
      breaker: { slowMs: 50, callsMin: 2 },
    });
    const calls = [1, 2, 3].map(() =>
      policy.run(async () => {
        await clock.sleep(40);
        return clock.now();
      }),
    );
    await clock.advance(1_000);
    expect(await Promise.all(calls)).toEqual([40, 80, 120]);
    expect(policy.breaker?.state(clock.now())).toBe("closed");
  });
});

it("gives a probe back that the bulkhead turns away", async () => {
  const { clock, policy } = stand({
    breaker: { consecutiveMax: 1, probes: 1, probeLeaseMs: 60_000 },
    bulkhead: { callsMax: 2, waitersMax: 0 },
    tryTimeoutMs: 60_000,
    deadlineMs: 60_000,
    retry: false,
  });
  const slow = [1, 2].map(() => policy.run(() => clock.sleep(6_000)));
  policy.breaker?.settle(policy.breaker.admit(0), 0, "failure", 1);
  await clock.advance(5_500);
  await expect(policy.run(() => 1)).rejects.toEqual(code("TENFOLD_RESILIENCE_BULKHEAD_FULL"));
  await clock.advance(500);
  await Promise.all(slow);
  expect(await policy.run(() => "well")).toBe("well");
});

describe("fail-back", () => {
  it("gives the value with whether and why it is degraded", async () => {
    const { clock, policy } = stand({ breaker: { consecutiveMax: 1 }, retry: false });
    const recommended = guard(
      (_call, user: number) => (user === 0 ? down() : Promise.resolve([user])),
      policy,
      ({ reason }, user) => [`default of ${user} for ${reason}`],
    );
    expect(await recommended(5)).toEqual({ degraded: false, value: [5] });
    expect(await recommended(0)).toEqual({
      degraded: true,
      reason: "failed",
      value: ["default of 0 for failed"],
    });
    expect(await recommended(5)).toMatchObject({ degraded: true, reason: "circuitOpen" });
    expect(policy.explain(3).map(({ kind }) => kind)).toEqual(["refused", "degraded"]);
    await clock.advance(5_000);
    expect(await recommended(5)).toEqual({ degraded: false, value: [5] });
  });

  it("stands in for results that were judged failures, not for faults of the caller", async () => {
    const { policy } = stand({
      retry: false,
      classifyResult: (value) => (value === 503 ? "failure" : "success"),
      classifyError: (error) => (error instanceof RangeError ? "ignored" : undefined),
    });
    const failBack = () => "stale";
    expect(await policy.runOr(() => 503, failBack)).toEqual({
      degraded: true,
      reason: "failed",
      value: "stale",
    });
    const notFound = policy.runOr(() => {
      throw new RangeError("no such user");
    }, failBack);
    await expect(notFound).rejects.toThrow("no such user");
    const gone = policy.runOr(() => 1, failBack, { signal: AbortSignal.abort() });
    await expect(gone).rejects.toEqual(code("TENFOLD_ABORTED"));
  });
});

it("still knows why the circuit opened after a thousand refusals", async () => {
  const { policy } = stand({ breaker: { consecutiveMax: 1 }, retry: false, decisionsMax: 8 });
  await policy.run(down).catch(() => {});
  for (let i = 0; i < 1_000; i++) await policy.run(down).catch(() => {});
  const kinds = policy.explain().map(({ kind, why }) => `${kind} ${why}`);
  expect(kinds).toEqual(["circuitChanged open", ...Array(8).fill("refused circuitOpen")]);
});

describe("guard", () => {
  it("hands on arguments and attempt; `with` sets the options of a call", async () => {
    const { policy } = stand();
    const query = guard((call, text: string, id: number) => [text, id, call.remainingMs()], policy);
    expect(await query("select", 1)).toEqual(["select", 1, 2_000]);
    expect(await query.with({ deadlineMs: 70 })("select", 2)).toEqual(["select", 2, 70]);
  });
});

describe("a chain", () => {
  it("tells the layers below of the attempt, and not to repeat what is repeated above", async () => {
    const { clock, policy } = stand();
    const sent: Record<string, string>[] = [];
    const call = policy.run((context) => {
      sent.push(context.headers());
      return down();
    });
    const outcome = call.catch((error: unknown) => error);
    await clock.advance(2_000);
    expect(saysRetryStop(await outcome)).toBe(true);
    expect(sent.map((headers) => [headers["tenfold-attempt"], headers["tenfold-retry"]])).toEqual([
      ["1", undefined],
      ["2", "stop"],
    ]);
  });

  it("counts a call of the user once in the budgets, however often it is repeated above", async () => {
    const { policy } = stand({ retryBudget: { ratio: 1, reservePerSecond: 0 } });
    const balanceAfter = async (attempt: string) => {
      const incoming = incomingCall((name) => (name === "tenfold-attempt" ? attempt : undefined));
      await policy.run(() => 1, { incoming });
      return policy.budget?.balance(0);
    };
    expect([await balanceAfter("1"), await balanceAfter("2")]).toEqual([1, 1]);
  });

  it("repeats nothing for a request that is a repetition, or that says stop", async () => {
    for (const headers of [{ "tenfold-attempt": "2" }, { "tenfold-retry": "stop" }]) {
      const { policy } = stand();
      let tries = 0;
      const incoming = incomingCall((name) => (headers as Record<string, string>)[name]);
      const call = policy.run(
        () => {
          tries++;
          return down();
        },
        { incoming },
      );
      await expect(call).rejects.toThrow("down");
      expect(tries).toBe(1);
      expect(policy.explain(1)).toMatchObject([{ kind: "gaveUp", why: "chainStopped" }]);
    }
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
      const { clock, policy } = stand({
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
