import fc from "fast-check";
import { expect, it } from "vitest";

import { bulkhead } from "./bulkhead.ts";
import type { CallLayer, LayerKind } from "./call-layer.ts";
import {
  breakerLayer,
  bulkheadLayer,
  deadlineLayer,
  rateLimitLayer,
  tryTimeoutLayer,
} from "./call-layers.ts";
import { circuitBreaker } from "./circuit-breaker.ts";
import { layerOrder } from "./layer-order.ts";
import { layeredPolicy } from "./layered-policy.ts";
import { gcra } from "./rate-limiter.ts";
import { retryBudget } from "./retry-budget.ts";
import { retryLayer } from "./retry-layer.ts";

const make: Readonly<Record<LayerKind, () => CallLayer>> = {
  deadline: () => deadlineLayer(1_000),
  rateLimit: () => rateLimitLayer(gcra({ perSecond: 1e6, burst: 1e6 })),
  retry: () => retryLayer(retryBudget()),
  breaker: () => breakerLayer(circuitBreaker()),
  pick: () => ({ kind: "pick", wrap: (inner) => inner }),
  bulkhead: () => bulkheadLayer(bulkhead()),
  tryTimeout: () => tryTimeoutLayer(500),
};
const policyOf = (...kinds: LayerKind[]) => layeredPolicy(kinds.map((kind) => make[kind]()));

it.each<readonly [string, readonly LayerKind[]]>([
  ["no deadline", ["retry", "breaker"]],
  ["nothing at all", []],
  ["a deadline for each attempt", ["retry", "deadline"]],
  ["one time-out for all attempts", ["deadline", "tryTimeout", "retry"]],
  ["a circuit that sees no time-outs", ["deadline", "tryTimeout", "breaker"]],
  ["waiting in line for an open circuit", ["deadline", "bulkhead", "breaker"]],
  ["time in line as the callee's", ["deadline", "tryTimeout", "bulkhead"]],
  ["probes for calls over the limit", ["deadline", "breaker", "rateLimit"]],
  ["places for calls over the limit", ["deadline", "bulkhead", "rateLimit"]],
  ["one endpoint for all attempts", ["deadline", "pick", "retry"]],
  ["a pick for an open circuit", ["deadline", "pick", "breaker"]],
  ["time without an endpoint as the callee's", ["deadline", "tryTimeout", "pick"]],
  ["two of a kind", ["deadline", "retry", "retry"]],
  ["a kind that is none", ["deadline", "hedge" as LayerKind]],
])("refuses %s", (_, kinds) => {
  const layers = kinds.map((kind) => ({ ...make.deadline(), kind }));
  expect(() => layeredPolicy(layers)).toThrow(
    expect.objectContaining({ code: "TENFOLD_RESILIENCE_ORDER_INVALID" }),
  );
});

it("says what belongs where, and why", () => {
  expect(() => policyOf("deadline", "tryTimeout", "retry")).toThrow(
    /retry belongs outside of tryTimeout: each attempt has its time/,
  );
});

it("lets experts judge whole calls, limit attempts, or keep a place over retries", async () => {
  for (const kinds of [
    ["deadline", "breaker", "retry", "tryTimeout"],
    ["deadline", "retry", "rateLimit", "breaker"],
    ["deadline", "breaker", "bulkhead", "retry", "tryTimeout"],
  ] as const) {
    expect(await policyOf(...kinds).run(() => "well")).toBe("well");
  }
});

it("takes any part of the usual order, and of two orders of the same layers not both", () => {
  const part = fc.subarray([...layerOrder]).filter((kinds) => kinds.includes("deadline"));
  fc.assert(
    fc.property(part, (kinds) => {
      policyOf(...kinds);
      const turned = kinds.toReversed();
      if (kinds.length > 1) expect(() => policyOf(...turned)).toThrow(/belongs outside/);
    }),
  );
});
