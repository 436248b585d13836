import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { isTenfoldError, TenfoldError } from "../runtime/errors.ts";
import { down, policyStand } from "../testing/policy-stand.ts";
import type { CallOptions } from "./call-layer.ts";
import { guard } from "./guard.ts";
import type { CallPolicy, Fault } from "./layered-policy.ts";
import { gcra } from "./rate-limiter.ts";

const code = (expected: string) => expect.objectContaining({ code: expected });

describe("fail-back", () => {
  it("gives the value with whether and why it is degraded", async () => {
    const { clock, policy } = policyStand({ breaker: { consecutiveMax: 1 }, retry: false });
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
    const { policy } = policyStand({
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

describe("a fail-back beside a bare call under the same policy", () => {
  const kinds = ["well", "bad", "fails", "refuses", "notFound", "hangs", "throws"] as const;
  const plan = fc.record({
    afterMs: fc.nat(200),
    takesMs: fc.nat(250),
    kind: fc.constantFrom(...kinds),
    deadlineMs: fc.constantFrom(0, 60, 400),
    leavesAfterMs: fc.option(fc.nat(300), { nil: undefined }),
  });
  type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never;
  const stand = () =>
    policyStand({
      tryTimeoutMs: 120,
      bulkhead: { callsMax: 2, waitersMax: 2, waitMs: 50 },
      breaker: { consecutiveMax: 3, openMs: 200, openMsMax: 400 },
      rateLimit: gcra({ perSecond: 30, burst: 4 }),
      classifyResult: (value) => (value === "bad" ? "failure" : "success"),
      classifyError: (error) => (error instanceof RangeError ? "ignored" : undefined),
    });

  /** Makes the calls by `make`, which tells what came of each. */
  async function outcomes(
    plans: readonly Plan[],
    make: (
      policy: CallPolicy,
      callee: () => Promise<string>,
      options: CallOptions,
    ) => Promise<unknown>,
  ): Promise<readonly { readonly outcome: unknown; readonly atMs: number }[]> {
    const { clock, policy } = stand();
    const calls = plans.map(async ({ afterMs, takesMs, kind, deadlineMs, leavesAfterMs }) => {
      await clock.sleep(afterMs);
      const gone = new AbortController();
      if (leavesAfterMs !== undefined) clock.setTimer(leavesAfterMs, () => gone.abort());
      const callee = (): Promise<string> => {
        if (kind === "throws") throw new Error(kind);
        if (kind === "hangs") return new Promise(() => {});
        return clock.sleep(takesMs).then(() => {
          if (kind === "well" || kind === "bad") return kind;
          if (kind === "notFound") throw new RangeError(kind);
          if (kind === "fails") throw new Error(kind);
          throw new TenfoldError("TENFOLD_QUEUEING_FULL", kind, { retryable: true });
        });
      };
      const outcome = await make(policy, callee, { deadlineMs, signal: gone.signal });
      return { outcome, atMs: clock.now() };
    });
    await clock.advance(5_000);
    return await Promise.all(calls);
  }

  it("stands in exactly where that fails, once, as soon; the caller's own faults are thrown", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(plan, { maxLength: 25 }), async (plans) => {
        const bare = await outcomes(plans, (policy, callee, options) =>
          policy.run(callee, options).then(
            (value) => ({ value }),
            (error: Error) => ({ error }),
          ),
        );
        const covered = await outcomes(plans, async (policy, callee, options) => {
          const asked: Fault[] = [];
          const failBack = (fault: Fault) => asked.push(fault);
          try {
            const answer = await guard(callee, policy, failBack).with(options)();
            return { answer, asked };
          } catch (error) {
            return { error, asked };
          }
        });
        for (const [i, { outcome, atMs }] of bare.entries()) {
          const { value, error } = outcome as { value?: string; error?: Error };
          const got = covered[i]?.outcome as { answer?: unknown; error?: Error; asked: Fault[] };
          expect(covered[i]?.atMs).toBe(atMs);
          if (value === "well")
            expect(got).toEqual({ answer: { degraded: false, value }, asked: [] });
          else if (error instanceof RangeError || isTenfoldError(error, "TENFOLD_ABORTED")) {
            expect(got.asked).toEqual([]);
            expect(got.error?.message).toBe(error.message);
          } else {
            const [fault] = got.asked;
            expect(got.asked).toHaveLength(1);
            expect((fault?.error as Error | undefined)?.message).toBe(error?.message);
            expect(got.answer).toEqual({ degraded: true, reason: fault?.reason, value: 1 });
            if (value === "bad") expect(fault?.reason).toBe("failed");
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("guard", () => {
  it("hands on arguments and attempt; `with` sets the options of a call", async () => {
    const { policy } = policyStand();
    const query = guard((call, text: string, id: number) => [text, id, call.remainingMs()], policy);
    expect(await query("select", 1)).toEqual(["select", 1, 2_000]);
    expect(await query.with({ deadlineMs: 70 })("select", 2)).toEqual(["select", 2, 70]);
  });

  it("serves a client whose commands give their results at once, as SQLite does", async () => {
    const { policy } = policyStand({
      classifyError: (error) => (error instanceof RangeError ? "ignored" : undefined),
      breaker: { consecutiveMax: 1 },
      retry: false,
    });
    const query = guard((_call, text: string): string[] => {
      if (text === "") throw new RangeError("a constraint of the caller's");
      if (text === "lost") throw new Error("the connection is lost");
      return [text];
    }, policy);
    expect(await query("select")).toEqual(["select"]);
    await expect(query("")).rejects.toThrow(RangeError);
    expect(await query("still closed")).toEqual(["still closed"]);
    await expect(query("lost")).rejects.toThrow("lost");
    await expect(query("select")).rejects.toEqual(code("TENFOLD_RESILIENCE_CIRCUIT_OPEN"));
  });

  it("waits no longer for a client that takes no signal, and drops what comes late", async () => {
    const { clock, policy } = policyStand({ tryTimeoutMs: 50, retry: false });
    const late = Promise.withResolvers<string>();
    const get = guard((_call, _key: string) => late.promise, policy);
    const asked = get("key").catch((error: unknown) => error);
    await clock.advance(50);
    expect(await asked).toEqual(code("TENFOLD_RESILIENCE_TRY_TIMEOUT"));
    late.reject(new Error("too late to matter"));
    expect(policy.bulkhead?.inUse).toBe(0);
  });
});
