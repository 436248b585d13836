import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, expect, it } from "vitest";

import { roundRobin } from "../balancing/round-robin.ts";
import { callPolicy } from "../resilience/call-policy.ts";
import { createServiceClient } from "./service-client.ts";
import type { ServiceClientOptions } from "./service-client-options.ts";
import type { ServiceClientState } from "./service-client-state.ts";
import { staticResolver } from "./static-resolver.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Instances of which the first fails; what they are asked is counted. */
async function instances(statuses: readonly number[]) {
  const asked = statuses.map(() => 0);
  const posts: { readonly id: string; readonly address: string; readonly port: number }[] = [];
  for (const [i, status] of statuses.entries()) {
    const server = createServer((_request, response) => {
      asked[i] = (asked[i] as number) + 1;
      response.writeHead(status).end();
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    cleanups.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    posts.push({ id: `posts-${i}`, address: "127.0.0.1", port });
  }
  const client = (options: Partial<ServiceClientOptions> = {}) => {
    const made = createServiceClient("posts", {
      resolver: staticResolver({ posts }),
      balancing: { picking: roundRobin(), probeMs: 60_000, probeMsMax: 600_000 },
      policy: { deadlineMs: 45_000 },
      ...options,
    });
    cleanups.push(() => made.close());
    return made;
  };
  return { asked, client };
}

const get = { method: "GET", path: "/" };
/** What is kept of a state in a file. */
const kept = (state: ServiceClientState): ServiceClientState => JSON.parse(JSON.stringify(state));

it("begins with what the process before it knew of the instances", async () => {
  const { asked, client } = await instances([500, 200, 200]);
  const first = client();
  for (let i = 0; i < 30; i++) await first.request(get);
  const before = asked[0] as number;
  expect(before).toBeGreaterThanOrEqual(5);
  const saved = kept(first.save());
  const { health } = saved.balancer.endpoints.find(({ id }) => id === "posts-0") ?? {};
  expect(health?.ejected).toBe(true);

  const informed = client();
  informed.restore(saved, 100);
  for (let i = 0; i < 50; i++) await informed.request(get);
  expect(asked[0]).toBe(before);
  const again = informed
    .save()
    .balancer.endpoints.map(({ id, health: { ejected } }) => [id, ejected]);
  expect(again).toEqual(saved.balancer.endpoints.map(({ id, health }) => [id, health.ejected]));

  const naive = client();
  for (let i = 0; i < 50; i++) await naive.request(get);
  expect(asked[0]).toBeGreaterThan(before);
});

it("takes over what it is told when the instances are listed already, too", async () => {
  const { asked, client } = await instances([500, 200, 200]);
  const first = client();
  for (let i = 0; i < 30; i++) await first.request(get);
  const late = client();
  // By then they are listed; which of them is asked is chance.
  await late.request(get);
  late.restore(kept(first.save()));
  const before = asked[0];
  for (let i = 0; i < 50; i++) await late.request(get);
  expect(asked[0]).toBe(before);
});

it("asks an instance at once that was to be asked while it was away", async () => {
  const { asked, client } = await instances([500, 200, 200]);
  const first = client();
  for (let i = 0; i < 30; i++) await first.request(get);
  const before = asked[0] as number;
  const next = client();
  next.restore(kept(first.save()), 600_000);
  await next.request(get);
  expect(asked[0]).toBe(before + 1);
});

it("brings the circuit of a policy that it made, and of no other", async () => {
  const { asked, client } = await instances([500]);
  const policy = { breaker: { consecutiveMax: 3, openMs: 60_000, openMsMax: 60_000 } };
  const first = client({ policy });
  for (let i = 0; i < 3; i++) await first.request(get);
  const saved = kept(first.save());
  expect(saved.circuit?.state).toBe("open");
  const open = { code: "TENFOLD_RESILIENCE_CIRCUIT_OPEN" };
  const next = client({ policy });
  next.restore(saved);
  await expect(next.request(get)).rejects.toMatchObject(open);
  const later = client({ policy });
  later.restore(saved, 60_000);
  expect((await later.request(get)).status).toBe(500);
  expect(asked[0]).toBe(4);

  const shared = client({ policy: callPolicy(policy) });
  shared.restore(saved);
  expect(shared.save().circuit).toBeUndefined();
  expect((await shared.request(get)).status).toBe(500);
});

it.each<[string, unknown, string]>([
  ["nothing", null, "TENFOLD_BALANCING_STATE_INVALID"],
  ["no balancer", { circuit: {} }, "TENFOLD_BALANCING_STATE_INVALID"],
  [
    "a circuit of another format",
    { balancer: { version: 1, endpoints: [] }, circuit: { format: 2 } },
    "TENFOLD_RESILIENCE_STATE_INVALID",
  ],
])("refuses %s with a code", async (_what, state, code) => {
  const { client } = await instances([200]);
  expect(() => client().restore(state as ServiceClientState)).toThrow(
    expect.objectContaining({ code }),
  );
});
