import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";

import { afterEach, describe, expect, it } from "vitest";

import type { Host } from "../balancing/host.ts";
import type { Picking } from "../balancing/picking.ts";
import { saysRetryStop } from "../resilience/call-chain.ts";
import { isTenfoldError } from "../runtime/errors.ts";
import { createRegistry } from "../telemetry/registry.ts";
import { type ChildServer, startChildServer } from "../testing/child-server.ts";
import type { Endpoint, Resolver } from "./endpoint.ts";
import { createServiceClient } from "./service-client.ts";
import type { ServiceClientOptions } from "./service-client-options.ts";
import { staticResolver } from "./static-resolver.ts";

interface Echo {
  readonly name: string;
  readonly pid: number;
  readonly received: number;
  readonly count: number;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function servers(count: number): Promise<ChildServer[]> {
  const started = await Promise.all(
    Array.from({ length: count }, (_, i) => startChildServer({ name: `s${i}` })),
  );
  for (const server of started) cleanups.push(() => server.stop());
  return started;
}

/** No call ends for want of time on a machine that is busy with other work. */
const patient = { deadlineMs: 45_000, tryTimeoutMs: 20_000 };

function clientOf(list: readonly { port: number }[], options: Partial<ServiceClientOptions> = {}) {
  const posts = list.map(({ port }) => ({ address: "127.0.0.1", port }));
  const policy = { ...patient, ...options.policy };
  const resolver = staticResolver({ posts });
  const client = createServiceClient("posts", { resolver, ...options, policy });
  cleanups.push(() => client.close());
  return client;
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "none",
    (error) => (isTenfoldError(error) ? error.code : String(error)),
  );
}

it("sends JSON with bigints as text, the query, the deadline, and reads the answer", async () => {
  const client = clientOf(await servers(1));
  const reply = await client.request({
    method: "POST",
    path: "/a%2Fb",
    query: { limit: 3, before: undefined, q: "ä&b" },
    body: { id: 2n ** 63n },
    deadlineMs: 30_000,
  });
  const echo = reply.json<Echo>();
  expect(reply.status).toBe(200);
  expect(reply.attempts).toBe(1);
  expect(echo.url).toBe("/a%2Fb?limit=3&q=%C3%A4%26b");
  expect(echo.body).toBe('{"id":"9223372036854775808"}');
  expect(echo.headers["content-type"]).toBe("application/json");
  expect(Number(echo.headers["tenfold-deadline-ms"])).toBeGreaterThan(20_000);
});

it("loses no repeatable call when an instance is killed and another one hangs", async () => {
  const three = await servers(3);
  const client = clientOf(three, { policy: { tryTimeoutMs: 10_000, breaker: false } });
  let next = 0;
  const failures: unknown[] = [];
  const names = new Set<string>();
  const lane = async (): Promise<void> => {
    while (next < 900) {
      const at = next++;
      if (at === 200) three[0]?.kill("SIGKILL");
      if (at === 500) three[1]?.kill("SIGSTOP");
      const call = { method: "GET", path: "/", query: { ms: 2 } };
      await client.request(call).then(
        (reply) => names.add(reply.json<Echo>().name),
        (error) => failures.push(error),
      );
    }
  };
  await Promise.all(Array.from({ length: 16 }, lane));
  expect(failures).toEqual([]);
  expect(names).toEqual(new Set(["s0", "s1", "s2"]));
});

it("holds nothing against an instance that was given no time to answer", async () => {
  const two = await servers(2);
  const listed: number[] = [];
  const picking: Picking = () => ({
    pick(hosts) {
      listed.push(hosts.length);
      return hosts[0] as Host;
    },
  });
  const balancing = { picking, failuresMax: 2, panicShare: 0 };
  const client = clientOf(two, { balancing, policy: { breaker: false } });
  for (let i = 0; i < 8; i++) {
    const call = { method: "GET", path: "/", query: { ms: 1_000 }, deadlineMs: 10 };
    expect(await codeOf(client.request(call))).toMatch(/DEADLINE_EXCEEDED|TRY_TIMEOUT/);
  }
  expect(await codeOf(client.request({ method: "GET", path: "/" }))).toBe("none");
  // The last call has both to choose from.
  expect(listed.at(-1)).toBe(2);
});

describe("a body that breaks off is held against its caller, and not against the instance", () => {
  const broken = async function* (when?: Promise<void>) {
    yield "x";
    await when;
    throw new Error("the file is gone");
  };
  const said = {
    code: "TENFOLD_OPTION_INVALID",
    message: "The body could not be read to its end: the file is gone.",
  };
  /** A client that shows no mercy, and how many instances it had to choose from at each pick. */
  const strict = (ports: readonly { port: number }[]) => {
    const listed: number[] = [];
    const picking: Picking = () => ({
      pick(hosts) {
        listed.push(hosts.length);
        return hosts[0] as Host;
      },
    });
    const client = clientOf(ports, { balancing: { picking, failuresMax: 1, panicShare: 0 } });
    return { client, listed };
  };

  it("before the answer", async () => {
    const { client, listed } = strict(await servers(2));
    for (let i = 0; i < 3; i++) {
      const sent = client.fetch("/", { method: "POST", body: broken() });
      await expect(sent).rejects.toMatchObject(said);
    }
    expect(listed).toEqual([2, 2, 2]);
  });

  it("after the answer has begun, which breaks off too", async () => {
    const early = createHttpServer((_request, response) => void response.write("begun"));
    await once(early.listen(0, "127.0.0.1"), "listening");
    cleanups.push(async () => void early.close());
    const { port } = early.address() as AddressInfo;
    const { client, listed } = strict([{ port }, ...(await servers(1))]);
    for (let i = 0; i < 3; i++) {
      const answered = Promise.withResolvers<void>();
      const body = broken(answered.promise);
      const response = await client.fetch("/", { method: "POST", body });
      answered.resolve();
      await expect(response.text()).rejects.toMatchObject({
        code: "TENFOLD_DISCOVERY_CALL_FAILED",
        message: expect.stringMatching(/ broke off: The body .* the file is gone\.$/),
        cause: said,
      });
    }
    expect(listed).toEqual([2, 2, 2]);
  });
});

it("waits while the only instance restarts, for calls that cannot be repeated too", async () => {
  const [first] = (await servers(1)) as [ChildServer];
  const client = clientOf([first]);
  await first.stop();
  const pending = client.request({ method: "POST", path: "/", body: { a: 1 } });
  const second = await startChildServer({ port: first.port, name: "again" });
  cleanups.push(() => second.stop());
  const reply = await pending;
  expect(reply.json<Echo>()).toMatchObject({ name: "again", count: 1 });
});

it("does not repeat a write that a server may have begun", async () => {
  const two = await servers(2);
  const client = clientOf(two);
  const pending = codeOf(client.request({ method: "POST", path: "/", query: { ms: 60_000 } }));
  await expect
    .poll(async () => {
      const loads = two.map(async ({ port }) => {
        const { received, count } = (await (
          await fetch(`http://127.0.0.1:${port}/`)
        ).json()) as Echo;
        return received - count;
      });
      return (await Promise.all(loads)).toSorted();
    })
    .toEqual([0, 1]);
  for (const server of two) server.kill("SIGKILL");
  expect(await pending).toBe("TENFOLD_DISCOVERY_CALL_FAILED");
});

it("repeats a write that carries an idempotency key", async () => {
  const two = await servers(2);
  const client = clientOf(two, { policy: { tryTimeoutMs: 3_000 } });
  const replies = [];
  for (const server of two) server.kill("SIGSTOP");
  const headers = { "idempotency-key": "k1" };
  for (let i = 0; i < 4; i++) replies.push(client.request({ method: "POST", path: "/", headers }));
  two[1]?.kill("SIGCONT");
  for (const reply of await Promise.all(replies)) {
    expect(reply.json<Echo>().name).toBe("s1");
  }
});

describe("a server that closes a kept connection just when it is used again", () => {
  /** Answers the first request of a connection; at the second it resets, or answers if well. */
  async function racingServer(isWell: () => boolean) {
    let requests = 0;
    const server = createServer((socket) => {
      let onThis = 0;
      socket.on("error", () => {});
      socket.on("data", () => {
        requests++;
        if (onThis++ > 0 && !isWell()) socket.resetAndDestroy();
        else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
      });
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    cleanups.push(async () => void server.close());
    const { port } = server.address() as AddressInfo;
    return { port, requests: () => requests };
  }
  const noBudget = {
    policy: { retryBudget: { ratio: 0, reservePerSecond: 0 } },
    connectionsMax: 1,
  };

  it("costs a repeatable call one more attempt, off the budget", async () => {
    const server = await racingServer(() => false);
    const client = clientOf([server], noBudget);
    const get = { method: "GET", path: "/" };
    expect((await client.request(get)).attempts).toBe(1);
    expect((await client.request(get)).attempts).toBe(2);
    expect(server.requests()).toBe(3);
  });

  it("is told to the caller of a call that cannot be repeated", async () => {
    const server = await racingServer(() => false);
    const client = clientOf([server], noBudget);
    await client.request({ method: "POST", path: "/" });
    const second = client.request({ method: "POST", path: "/" });
    await expect(second).rejects.toMatchObject({
      code: "TENFOLD_DISCOVERY_CALL_FAILED",
      retryable: false,
      details: { failure: "closedIdle" },
    });
    expect(server.requests()).toBe(2);
  });

  it("is met once and not for ever", async () => {
    const agentLess = await racingServer(() => false);
    const client = clientOf([agentLess], noBudget);
    for (let i = 0; i < 6; i++) {
      const { attempts } = await client.request({ method: "GET", path: "/" });
      expect(attempts).toBeLessThanOrEqual(2);
    }
  });
});

it("asks another instance when one says that it cannot, if the call may be repeated", async () => {
  const statusServer = async (status: number): Promise<{ port: number }> => {
    const server = createHttpServer((_request, response) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end("{}");
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    cleanups.push(async () => void server.close());
    return { port: (server.address() as AddressInfo).port };
  };
  const ill = await statusServer(503);
  const well = await statusServer(200);
  const statusesOf = async (method: string): Promise<Set<number>> => {
    const client = clientOf([ill, well]);
    const calls = Array.from({ length: 20 }, () => client.request({ method, path: "/" }));
    return new Set((await Promise.all(calls)).map((reply) => reply.status));
  };
  expect(await statusesOf("GET")).toEqual(new Set([200]));
  expect(await statusesOf("POST")).toContain(503);
  // Half of all attempts fail, but the service as a whole does not: its circuit stays closed.
  const cold = clientOf([ill, well], { policy: { breaker: { callsMin: 2 } } });
  for (let i = 0; i < 20; i++) {
    expect((await cold.request({ method: "GET", path: "/" })).status).toBe(200);
  }
  const alone = await clientOf([ill]).request({ method: "GET", path: "/" });
  expect([alone.status, alone.attempts]).toEqual([503, 1]);
});

it("keeps every caller's deadline however many wait", async () => {
  const client = clientOf([]);
  const began = performance.now();
  const call = { method: "GET", path: "/", deadlineMs: 300 };
  const codes = await Promise.all(Array.from({ length: 500 }, () => codeOf(client.request(call))));
  expect(new Set(codes)).toEqual(new Set(["TENFOLD_DISCOVERY_NO_ENDPOINT"]));
  // One after the other they would wait for 150 s.
  expect(performance.now() - began).toBeLessThan(30_000);
});

it("says which limit was met", async () => {
  const one = await servers(1);
  const policy = { bulkhead: { callsMax: 1, waitersMax: 0 } };
  const client = clientOf(one, { responseBytesMax: 1_000, policy });
  const get = (query: Record<string, number>, deadlineMs = 45_000) =>
    codeOf(client.request({ method: "GET", path: "/", query, deadlineMs }));
  expect(await get({ bytes: 1_001 })).toBe("TENFOLD_DISCOVERY_RESPONSE_TOO_LARGE");
  expect(await get({ bytes: 1_000 })).toBe("none");
  expect(await get({ ms: 60_000 }, 100)).toBe("TENFOLD_DEADLINE_EXCEEDED");
  expect(await Promise.all([get({ ms: 50 }), get({})])).toContain(
    "TENFOLD_RESILIENCE_BULKHEAD_FULL",
  );
  expect(await codeOf(client.request({ method: "GET", path: "/a b" }))).toBe(
    "TENFOLD_OPTION_INVALID",
  );
  await client.close();
  expect(await get({})).toBe("TENFOLD_DISCOVERY_CLOSED");
});

it("lets those above ask again when nobody could be reached, but not after an attempt", async () => {
  const get = { method: "GET", path: "/", deadlineMs: 60 };
  const unreached = await clientOf([])
    .request(get)
    .catch((error: unknown) => error);
  expect(saysRetryStop(unreached)).toBe(false);
  const silent = (await servers(1)) as [ChildServer];
  const client = clientOf(silent);
  await client.request({ method: "GET", path: "/" });
  const query = { ms: 60_000 };
  const late = await client
    .request({ ...get, query, deadlineMs: 1_000 })
    .catch((error: unknown) => error);
  expect(saysRetryStop(late)).toBe(true);
});

it("aborts with its caller's signal and says when nobody is listed", async () => {
  const client = clientOf([]);
  const call = { method: "GET", path: "/", deadlineMs: 80 };
  expect(await codeOf(client.request(call))).toBe("TENFOLD_DISCOVERY_NO_ENDPOINT");
  const signal = AbortSignal.abort();
  expect(await codeOf(client.request({ ...call, signal }))).toBe("TENFOLD_ABORTED");
});

it("goes on with the last list, and leaves an endpoint that went", async () => {
  const two = await servers(2);
  const endpoints = two.map(
    ({ port }, i): Endpoint => ({
      id: `s${i}`,
      address: "127.0.0.1",
      port,
      protocol: "http",
      zone: "z",
      version: "1",
      weight: 1,
    }),
  );
  const step = Promise.withResolvers<void>();
  const resolver: Resolver = {
    async *watch() {
      yield endpoints;
      await step.promise;
      yield endpoints.slice(1);
      throw new Error("the coordinator is gone");
    },
  };
  const metrics = createRegistry();
  const client = createServiceClient("posts", { resolver, metrics });
  cleanups.push(() => client.close());
  const names = async (): Promise<Set<string>> => {
    const replies = await Promise.all(
      Array.from({ length: 30 }, () => client.request({ method: "GET", path: "/" })),
    );
    return new Set(replies.map((reply) => reply.json<Echo>().name));
  };
  expect(await names()).toEqual(new Set(["s0", "s1"]));
  step.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  expect(await names()).toEqual(new Set(["s1"]));
  const picks = metrics.read().find(({ name }) => name === "tenfold_discovery_picks_total");
  expect(picks?.samples.reduce((sum, { value }) => sum + value, 0)).toBe(60);
});
