import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";

import { abortError } from "../runtime/errors.ts";
import { down, policyStand, settled } from "../testing/policy-stand.ts";
import { incomingCall, saysRetryStop } from "./call-chain.ts";
import { gcra } from "./rate-limiter.ts";

const code = (expected: string) => expect.objectContaining({ code: expected });

describe("the caller's signal", () => {
  it("ends a call before it begins, under way, in line and between attempts", async () => {
    const { clock, policy } = policyStand({
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
    const { clock, policy } = policyStand({ bulkhead: { callsMax: 2 } });
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
    const { clock, policy } = policyStand({ rateLimit: gcra({ perSecond: 10, burst: 1 }) });
    await policy.run(() => 1);
    await expect(policy.run(() => 1)).rejects.toMatchObject({
      code: "TENFOLD_RESILIENCE_RATE_LIMITED",
      retryAfterMs: 100,
    });

    const narrow = policyStand({ bulkhead: { callsMax: 1, waitersMax: 1, waitMs: 50 } });
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
    const { clock, policy } = policyStand({
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
  const { clock, policy } = policyStand({
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

it("still knows why the circuit opened after a thousand refusals", async () => {
  const { policy } = policyStand({ breaker: { consecutiveMax: 1 }, retry: false, decisionsMax: 8 });
  await policy.run(down).catch(() => {});
  for (let i = 0; i < 1_000; i++) await policy.run(down).catch(() => {});
  const kinds = policy.explain().map(({ kind, why }) => `${kind} ${why}`);
  expect(kinds).toEqual(["circuitChanged open", ...Array(8).fill("refused circuitOpen")]);
});

describe("a chain", () => {
  it("tells the layers below of the attempt, and not to repeat what is repeated above", async () => {
    const { clock, policy } = policyStand();
    const sent: Record<string, string>[] = [];
    const call = policy.run((context) => {
      sent.push(context.headers());
      return down();
    });
    const outcome = call.catch((error: unknown) => error);
    await clock.advance(2_000);
    expect(saysRetryStop(await outcome)).toBe(true);
    expect(sent.map((headers) => [headers["tenfold-attempt"], headers["tenfold-retry"]])).toEqual([
      [undefined, undefined],
      ["2", "stop"],
    ]);
  });

  it("counts a call of the user once in the budgets, however often it is repeated above", async () => {
    const { policy } = policyStand({ retryBudget: { ratio: 1, reservePerSecond: 0 } });
    const balanceAfter = async (attempt: string) => {
      const incoming = incomingCall((name) => (name === "tenfold-attempt" ? attempt : undefined));
      await policy.run(() => 1, { incoming });
      return policy.budget?.balance(0);
    };
    expect([await balanceAfter("1"), await balanceAfter("2")]).toEqual([1, 1]);
  });

  it("repeats nothing for a request that is a repetition, or that says stop", async () => {
    for (const headers of [{ "tenfold-attempt": "2" }, { "tenfold-retry": "stop" }]) {
      const { policy } = policyStand();
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
