import { expect, it } from "vitest";
import { runtimeWith } from "../runtime/runtime.ts";
import { policyStand, settled } from "../testing/policy-stand.ts";
import { callMetrics } from "./call-metrics.ts";
import type { Endpoint, Resolver } from "./endpoint.ts";
import { endpointPool } from "./endpoint-pool.ts";
import type { Route } from "./exchange.ts";
import { hold } from "./hold.ts";
import { pickLayer } from "./pick-layer.ts";
import { Trip } from "./trip.ts";

const posts: Endpoint = {
  id: "posts-1",
  address: "127.0.0.1",
  port: 20_001,
  protocol: "http",
  zone: "",
  version: "1",
  weight: 1,
};

/** A policy with the choice of an endpoint in it; `list` gives the endpoints there are from now. */
function stand(holdMs: number) {
  const { clock, policy } = policyStand();
  const lists: (readonly Endpoint[])[] = [[]];
  let more = (): void => {};
  const resolver: Resolver = {
    async *watch() {
      for (;;) {
        for (const list of lists.splice(0)) yield list;
        await new Promise<void>((resolve) => {
          more = resolve;
        });
      }
    },
  };
  const pool = endpointPool({ service: "posts", resolver, runtime: runtimeWith({ clock }) });
  const picks = pickLayer({
    pool,
    metrics: callMetrics(undefined, "posts"),
    hold: hold({ heldMax: 10, heldBytesMax: 1_000 }),
    holdMs,
    route: () => ({}) as Route,
  });
  return {
    clock,
    policy: policy.withLayer(picks),
    list(endpoints: readonly Endpoint[]) {
      lists.push(endpoints);
      more();
    },
  };
}

// Moleculer fails such a call at once (#184): each restart of a callee is an error at its callers.
it("waits for a service that is not there yet, instead of failing at once", async () => {
  const { clock, policy, list } = stand(3_000);
  const trip = new Trip(false);
  const call = policy.run(() => trip.picked?.endpoint.id, { subject: trip });
  await clock.advance(1_000);
  expect(await settled(call)).toBe("pending");
  list([posts]);
  await clock.advance(100);
  expect(await call).toBe("posts-1");
  trip.end();
});

it("and tells when it has waited as long as it may", async () => {
  const { clock, policy } = stand(500);
  const trip = new Trip(false);
  const call = policy.run(() => 1, { subject: trip });
  const over = call.catch((error: unknown) => [clock.now(), error]);
  await clock.advance(2_000);
  const [at, error] = (await over) as [number, unknown];
  expect(at).toBeLessThanOrEqual(501);
  expect(error).toMatchObject({ code: "TENFOLD_DISCOVERY_NO_ENDPOINT", retryable: true });
  trip.end();
});
