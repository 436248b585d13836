import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

import { afterEach, describe, expect, it } from "vitest";

import type { HostMeter, Outcome } from "../balancing/load-measure.ts";
import { exposition } from "../telemetry/exposition.ts";
import { createRegistry } from "../telemetry/registry.ts";
import { builtInDispatcher } from "./dispatcher.ts";
import { createServiceClient } from "./service-client.ts";
import type { ServiceClientOptions } from "./service-client-options.ts";
import { serviceInterceptor } from "./service-interceptor.ts";
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
  other: RequestListener = (_request, response) => void response.end("quick"),
) {
  const posts = [await serve(first)];
  for (let i = 0; i < others; i++) posts.push(await serve(other));
  const seen: Outcome[] = [];
  const meter = (patienceMs: number): HostMeter => ({
    load: () => patienceMs,
    began: () => patienceMs,
    record: (_now, outcome) => void (patienceMs < 1_000 && seen.push(outcome)),
    save: () => undefined,
    restore() {},
  });
  const metrics = createRegistry();
  const options = {
    resolver: staticResolver({ posts }),
    balancing: {
      measure: () => {
        const patience = [20];
        return { host: () => meter(patience.pop() ?? Number.POSITIVE_INFINITY) };
      },
      slowStartMs: 0,
    },
    policy: { deadlineMs: 45_000, tryTimeoutMs: 20_000, ...policy },
    metrics,
  };
  const client = createServiceClient("posts", options);
  cleanups.push(() => client.close());
  /** Attempts by outcome. */
  const tries = (): Record<string, number> => {
    const lines = exposition(metrics.read()).matchAll(/tries_total\{.*outcome="(\w+)"\} (\d+)/g);
    return Object.fromEntries([...lines].map(([, outcome, count]) => [outcome, Number(count)]));
  };
  return { client, seen, options, tries };
}

/** The connections of the process, for an interceptor without its compose. */
function builtIn(): { dispatch: (...given: never[]) => boolean } {
  const dispatcher = builtInDispatcher() as unknown as { dispatch(...given: never[]): boolean };
  return { dispatch: (...given) => dispatcher.dispatch(...given) };
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

  it("says of what it asks for twice that nothing below is to be repeated for it", async () => {
    const told: unknown[] = [];
    const tells: RequestListener = (request, response) => {
      told.push(request.headers["tenfold-retry"]);
      if (told.length === 2) response.end("quick");
    };
    const { client } = await clientThatAsks(tells, {}, 1, tells);
    await client.request({ method: "GET", path: "/" });
    expect(told).toEqual([undefined, "stop"]);
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

  it("waits when the others are not well: slow is better than nothing", async () => {
    let status = 500;
    const failing: RequestListener = (_request, response) => void response.writeHead(status).end();
    const { client, seen } = await clientThatAsks(late, {}, 1, failing);
    // What must not be repeated waits for the slow one, whose load this test gives out as low.
    await client.request({ method: "POST", path: "/" });
    const answers = [await client.request({ method: "GET", path: "/" })];
    expect(answers[0]?.status).toBe(500);
    status = 200;
    const reply = await client.request({ method: "GET", path: "/" });
    expect([reply.text(), reply.attempts]).toEqual(["late", 1]);
    expect(seen).toEqual(["success", "cancelled", "success"]);
  });

  it("counts every attempt once, also one whose answer is given up or breaks off", async () => {
    const { client, tries } = await clientThatAsks(late, {}, 1, (request, response) => {
      response.writeHead(200, { "content-length": "100000" }).write("begun");
      if (request.url === "/cut") setImmediate(() => response.destroy());
    });
    const endless = await client.fetch("/");
    await endless.body?.cancel();
    await expect.poll(tries).toEqual({ cancelled: 2 });
    const broken = await client.fetch("/cut");
    await expect(broken.text()).rejects.toThrow();
    await expect.poll(tries).toEqual({ cancelled: 3, cut: 1 });
  });

  it("tells a caller's handler of one request and one answer", async () => {
    const { options } = await clientThatAsks(late);
    const interceptor = serviceInterceptor({ service: "posts", ...options });
    cleanups.push(() => interceptor.close());
    const { dispatch } = builtIn();
    const told: string[] = [];
    const ended = new Promise<void>((resolve, reject) => {
      const intercepted = interceptor(dispatch as never) as (o: object, h: object) => boolean;
      intercepted(
        { origin: "http://posts", path: "/", method: "GET" },
        {
          onConnect: () => void told.push("connect"),
          onHeaders: (status: number) => told.push(`head ${status}`) > 0,
          onData: (chunk: Buffer) => told.push(chunk.toString()) > 0,
          onComplete: resolve,
          onError: reject,
        },
      );
    });
    await ended;
    expect(told).toEqual(["connect", "head 200", "quick"]);
  });

  it("leaves nothing whose body cannot be sent again", async () => {
    const { client, seen } = await clientThatAsks(late);
    const body = new Blob(["part"]).stream();
    const answer = await client.fetch("/", { method: "PUT", body });
    expect(await answer.text()).toBe("late");
    expect(seen).toEqual(["success"]);
  });
});
