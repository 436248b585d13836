import { expect, it } from "vitest";

import { bulkhead } from "./bulkhead.ts";
import { deadlineLayer } from "./call-layers.ts";
import { callPolicy } from "./call-policy.ts";
import { circuitBreaker } from "./circuit-breaker.ts";
import { guard } from "./guard.ts";
import { keyedLimiter } from "./keyed-limiter.ts";
import { layeredPolicy } from "./layered-policy.ts";
import { gcra, slidingWindow } from "./rate-limiter.ts";
import { retryBudget } from "./retry-budget.ts";
import { retryLayer } from "./retry-layer.ts";

const policy = callPolicy();
const layers = [deadlineLayer(1_000)];
const limiter = () => gcra({ perSecond: 1, burst: 1 });

/** Everything of this room that takes options: what it knows, and the call. */
const places: readonly (readonly [
  where: string,
  good: object,
  use: (options: never) => unknown,
])[] = [
  ["bulkhead", { callsMax: 3 }, bulkhead],
  ["circuitBreaker", { probes: 3 }, circuitBreaker],
  ["gcra", { perSecond: 1, burst: 1 }, gcra],
  ["slidingWindow", { limit: 1, windowMs: 1 }, slidingWindow],
  ["keyedLimiter", { keysMax: 1, limiter }, keyedLimiter],
  ["retryBudget", { ratio: 0.1 }, retryBudget],
  ["retry", { attemptsMax: 3 }, (options) => retryLayer(retryBudget(), options)],
  ["layeredPolicy", { name: "it" }, (options) => layeredPolicy(layers, options)],
  ["withLayer", {}, (judge) => layeredPolicy(layers).withLayer({ kind: "retry", wrap }, judge)],
  ["callPolicy", { name: "it", deadlineMs: 5 }, callPolicy],
  ["retryBudget", { ratio: 0.1 }, (retryBudget) => callPolicy({ retryBudget })],
  ["retry", { attemptsMax: 3 }, (retry) => callPolicy({ retry })],
  ["circuitBreaker", { probes: 3 }, (breaker) => callPolicy({ breaker })],
  ["bulkhead", { callsMax: 3 }, (bulkhead) => callPolicy({ bulkhead })],
  ["run", { deadlineMs: 50, subject: 7 }, (options) => policy.run(() => 1, options)],
  ["run", { idempotent: true }, (options) => policy.runOr(() => 1, String, options)],
  ["run", { signal: undefined }, (options) => guard(() => 1, policy).with(options)()],
];
function wrap<T>(inner: T): T {
  return inner;
}

it.each(places)("%s knows %j, and refuses what it does not know", async (where, good, use) => {
  const given = async (options: object): Promise<unknown> => use(options as never);
  await given(good);
  for (const key of ["deadline", "Ratio", "0", "constructor"]) {
    await expect(given({ ...good, [key]: 1 })).rejects.toMatchObject({
      code: "TENFOLD_OPTION_UNKNOWN",
      details: { where, key },
      message: expect.stringContaining(`${where} has no "${key}". It knows: `),
    });
  }
});
