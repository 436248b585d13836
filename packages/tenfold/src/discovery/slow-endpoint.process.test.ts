import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

import { afterEach, describe, expect, it } from "vitest";

import type { HostMeter, Outcome } from "../balancing/load-measure.ts";
import { createServiceClient } from "./service-client.ts";
import type { ServiceClientOptions } from "./service-client-options.ts";
import { staticResolver } from "./static-resolver.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(listener: RequestListener): Promise<{ address: string; port: number }> {
  const server = createServer(listener);
  await once(server.listen(0, "127.0.0.1"), "listening");
  cleanups.push(() => server.closeAllConnections());
  cleanups.push(() => server.close());
  return { address: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

/** A client whose calls go to the first endpoint, as if that were a slow one that is asked. */
async function clientThatAsks(
  first: RequestListener,
  policy: ServiceClientOptions["policy"] = {},
  others = 1,
) {
  const quick: RequestListener = (_request, response) => void response.end("quick");
  const posts = [await serve(first)];
  for (let i = 0; i < others; i++) posts.push(await serve(quick));
  const seen: Outcome[] = [];
  const meter = (patienceMs: number): HostMeter => ({
    load: () => patienceMs,
    began: () => patienceMs,
    record: (_now, outcome) => void (patienceMs < 1_000 && seen.push(outcome)),
    save: () => undefined,
    restore() {},
  });
  const patience = [20];
  const client = createServiceClient("posts", {
    resolver: staticResolver({ posts }),
    balancing: {
      measure: () => ({ host: () => meter(patience.pop() ?? Number.POSITIVE_INFINITY) }),
      slowStartMs: 0,
    },
    policy: { deadlineMs: 45_000, tryTimeoutMs: 20_000, ...policy },
  });
  cleanups.push(() => client.close());
  return { client, seen };
}

const late: RequestListener = async (_request, response) => {
  await pause(200);
  response.end("late");
};

describe("a call that finds out about a slow endpoint", () => {
  it("goes elsewhere when there is no answer soon, at no cost to the retry budget", async () => {
    const retryBudget = { ratio: 0, reservePerSecond: 1 };
    const { client, seen } = await clientThatAsks(late, { retryBudget });
    for (let call = 0; call < 20; call++) {
      const reply = await client.request({ method: "GET", path: "/" });
      expect([reply.text(), reply.attempts]).toEqual(["quick", 2]);
      const decisions = client.explain(reply.call).filter(({ kind }) => kind !== "held");
      expect(decisions.map(({ kind, why }) => `${kind} ${why}`)).toEqual([
        "picked probe",
        "rerouted slow",
        "picked policy",
      ]);
    }
    expect(seen).toEqual(Array.from({ length: 20 }, () => "cancelled"));
    const loads = client.endpoints().map(({ pending, load }) => [pending, load]);
    expect(loads).toEqual([
      [0, 20],
      [0, Number.POSITIVE_INFINITY],
    ]);
  });

  it("leaves a streamed call too", async () => {
    const { client } = await clientThatAsks(late);
    const answer = await client.fetch("/");
    expect(await answer.text()).toBe("quick");
  });

  it("waits for an answer that has begun", async () => {
    const { client, seen } = await clientThatAsks(async (_request, response) => {
      response.flushHeaders();
      await pause(200);
      response.end("begun");
    });
    const reply = await client.request({ method: "GET", path: "/" });
    expect([reply.text(), reply.attempts]).toEqual(["begun", 1]);
    expect(seen).toEqual(["success"]);
  });

  it.for<[what: string, method: string, policy: ServiceClientOptions["policy"], others: number]>([
    ["it must not be made twice", "POST", {}, 1],
    ["its policy makes every call once", "GET", { retry: false }, 1],
    ["there is nowhere else to go", "GET", {}, 0],
  ])("waits when %s", async ([, method, policy, others]) => {
    const { client, seen } = await clientThatAsks(late, policy, others);
    const reply = await client.request({ method, path: "/" });
    expect([reply.text(), reply.attempts]).toEqual(["late", 1]);
    expect(seen).toEqual(["success"]);
  });
});
