import { expect, it } from "vitest";

import { seededRandom } from "../runtime/random.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";
import {
  firstCall,
  type IncomingCall,
  incomingCall,
  markRetryStop,
  saysRetryStop,
} from "./call-chain.ts";
import { type CallPolicyOptions, callPolicy } from "./call-policy.ts";

/** Everything that travels between two tiers: the request's headers, the answer's signal. */
type Server = (headers: Record<string, string>) => Promise<string>;

interface Tier {
  readonly name: string;
  /** Requests that came in. */
  asked: number;
}

/**
 * A → B → C → leaf, each tier with a policy of its own. Tiers in `mute` lose half of the answers on
 * the way up, so that their callers see a time-out and no signal.
 */
async function run(options: {
  readonly callsPerSecond: number;
  readonly seconds: number;
  readonly leaf: "dead" | "slow";
  readonly mute?: readonly string[];
  readonly isCooperative?: boolean;
  /** Of each tier; by default each waits longer than the one below it. */
  readonly tryTimeoutMs?: number;
}): Promise<Record<string, number>> {
  const clock = virtualClock();
  const random = seededRandom("chain");
  const tiers: Tier[] = ["leaf", "C", "B", "A"].map((name) => ({ name, asked: 0 }));
  const { isCooperative = true, mute = [] } = options;
  let lost = 0;

  const leafServer: Server = async () => {
    if (options.leaf === "slow") await clock.sleep(60_000);
    throw new Error("dead");
  };
  const server = tiers.reduce<Server>((below, tier, depth) => {
    const policyOptions: CallPolicyOptions = {
      name: tier.name,
      idempotent: true,
      tryTimeoutMs: options.tryTimeoutMs ?? 200 * 3 ** depth,
      deadlineMs: 60_000,
      retry: { attemptsMax: 3 },
      retryBudget: { ratio: 0.2, reservePerSecond: 0 },
      breaker: false,
      bulkhead: false,
      runtime: { clock, random },
    };
    const policy = callPolicy(policyOptions);
    return async (headers) => {
      tier.asked++;
      if (tier.name === "leaf") return await leafServer(headers);
      const incoming: IncomingCall = isCooperative
        ? incomingCall((name) => headers[name])
        : firstCall;
      try {
        return await policy.run((call) => below(call.headers()), { incoming });
      } catch (error) {
        if (mute.includes(tier.name) && lost++ % 2 === 0) await clock.sleep(60_000);
        // What crosses the wire is the signal, not the error.
        const answer = new Error(`${tier.name} failed`);
        if (isCooperative && saysRetryStop(error)) markRetryStop(answer);
        throw answer;
      }
    };
  }, leafServer);

  const calls: Promise<unknown>[] = [];
  const count = options.callsPerSecond * options.seconds;
  for (let i = 0; i < count; i++) {
    calls.push(server({}).catch(() => {}));
    await clock.advance(1_000 / options.callsPerSecond);
  }
  await clock.advance(100_000);
  await Promise.all(calls);
  return Object.fromEntries(tiers.map(({ name, asked }) => [name, asked / count]));
}

it("keeps the attempts at a dead leaf to 1 + ratio of the calls, for the whole chain", async () => {
  const { leaf, C, B } = await run({ callsPerSecond: 20, seconds: 20, leaf: "dead" });
  expect(leaf).toBeLessThanOrEqual(1.2);
  expect(leaf).toBeGreaterThan(1.1);
  expect([C, B]).toEqual([1, 1]);
});

it("and at a slow one", async () => {
  const { leaf, C } = await run({ callsPerSecond: 20, seconds: 20, leaf: "slow" });
  expect(leaf).toBeLessThanOrEqual(1.2);
  // Few attempts of C take longer than B waits, before its budget has run down.
  expect(C).toBeLessThanOrEqual(1.02);
});

it("and where all have the same time-out: each answers before the one above gives up", async () => {
  const alike = { callsPerSecond: 20, seconds: 20, tryTimeoutMs: 2_000 } as const;
  expect(await run({ ...alike, leaf: "slow" })).toEqual({ leaf: 1, C: 1, B: 1, A: 1 });
});

it("and where tiers between lose half of the answers, too", async () => {
  const { leaf } = await run({
    callsPerSecond: 20,
    seconds: 20,
    leaf: "dead",
    mute: ["B", "C"],
  });
  // Three places at which calls end without a signal: 1 + 3 · 0.2 at the very most.
  expect(leaf).toBeLessThanOrEqual(1.6);
});

it("which budgets that know nothing of each other do not: the canary of the tests above", async () => {
  const { leaf } = await run({
    callsPerSecond: 20,
    seconds: 20,
    leaf: "dead",
    isCooperative: false,
  });
  expect(leaf).toBeGreaterThan(1.6);
});
