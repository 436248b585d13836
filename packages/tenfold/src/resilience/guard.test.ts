import { describe, expect, it } from "vitest";
import { down, policyStand } from "../testing/policy-stand.ts";
import { guard } from "./guard.ts";

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
