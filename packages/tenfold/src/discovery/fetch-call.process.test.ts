import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createSocketServer } from "node:net";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";

import { isTenfoldError } from "../runtime/errors.ts";
import type { Endpoint, Resolver } from "./endpoint.ts";
import { createServiceClient, type ServiceClient } from "./service-client.ts";
import type { ServiceClientOptions } from "./service-client-options.ts";
import { staticResolver } from "./static-resolver.ts";

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serverOf(answer: RequestListener): Promise<number> {
  const server = createServer(answer);
  await once(server.listen(0, "127.0.0.1"), "listening");
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** No call ends for want of time on a machine that is busy with other work. */
const patient = { deadlineMs: 45_000, tryTimeoutMs: 20_000 };

function clientOf(ports: readonly number[], options: Partial<ServiceClientOptions> = {}) {
  const posts = ports.map((port) => ({ address: "127.0.0.1", port }));
  const policy = { ...patient, ...options.policy };
  const resolver = staticResolver({ posts });
  const client = createServiceClient("posts", { resolver, ...options, policy });
  cleanups.push(() => client.close());
  return client;
}

/** One call at a time, nobody in line: the next one tells whether its place was given back. */
const onePlace = { bulkhead: { callsMax: 1, waitersMax: 0 }, retry: false } as const;

async function hasPlace(client: ServiceClient): Promise<boolean> {
  const call = { method: "GET", path: "/", deadlineMs: 2_000 };
  const reply = await client.request(call).catch((error: unknown) => error);
  return !isTenfoldError(reply, "TENFOLD_RESILIENCE_BULKHEAD_FULL");
}

const echo: RequestListener = async (request, response) => {
  const body = (await buffer(request)).toString();
  const { method, url, headers } = request;
  response.end(JSON.stringify({ method, url, headers, body }));
};

it("answers with a Response and sends every kind of body", async () => {
  const client = clientOf([await serverOf(echo)]);
  const form = new FormData();
  form.set("a", "1");
  const bodies: readonly (readonly [BodyOf, RegExp, string | undefined])[] = [
    ["text", /^text$/, "text/plain;charset=UTF-8"],
    [new URLSearchParams({ a: "1" }), /^a=1$/, "application/x-www-form-urlencoded;charset=UTF-8"],
    [new Uint8Array([120]), /^x$/, undefined],
    [new Blob(["b"], { type: "text/csv" }), /^b$/, "text/csv"],
    [form, /name="a"/, undefined],
    [new Blob(["streamed"]).stream(), /^streamed$/, undefined],
    [Readable.from(["a", "b"]), /^ab$/, undefined],
  ];
  for (const [body, text, type] of bodies) {
    const response = await client.fetch("/x?q=1", { method: "POST", body });
    expect(response).toBeInstanceOf(Response);
    const came = (await response.json()) as { body: string; headers: Record<string, string> };
    expect(came).toMatchObject({ url: "/x?q=1", body: expect.stringMatching(text) });
    if (type !== undefined) expect(came.headers["content-type"]).toBe(type);
  }
});
type BodyOf = NonNullable<Parameters<ServiceClient["fetch"]>[1]>["body"];

it("begins at the head of an answer, holds back what is not read, and reads it whole", async () => {
  const chunk = Buffer.alloc(64 * 1024, "x");
  let sent = 0;
  const client = clientOf([
    await serverOf((_request, response) => {
      const more = (): void => {
        while (sent < 400) {
          sent++;
          if (!response.write(chunk)) return void response.once("drain", more);
        }
        response.end();
      };
      more();
    }),
  ]);
  const response = await client.fetch("/");
  // What fits into the sockets' buffers, and no more.
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(sent).toBeLessThan(300);
  expect((await response.arrayBuffer()).byteLength).toBe(400 * chunk.length);
});

it("keeps its place and its endpoint busy until the end of the body", async () => {
  let finish = (): void => {};
  const port = await serverOf((_request, response) => {
    response.write("a");
    finish = () => response.end("b");
  });
  const client = clientOf([port], { policy: onePlace });
  const response = await client.fetch("/");
  expect(await hasPlace(client)).toBe(false);
  finish();
  expect(await response.text()).toBe("ab");
  expect(await client.fetch("/").then(({ status }) => status)).toBe(200);
});

describe("an abort gives back place, endpoint and connection", () => {
  it.each(["before it begins", "before the head", "in the body", "by the reader"])(
    "%s",
    async (when) => {
      let open = 0;
      const port = await serverOf((request, response) => {
        open++;
        response.on("close", () => open--);
        if (request.url === "/silent") return;
        if (request.url === "/endless") response.write("x");
        else response.end("ok");
      });
      const client = clientOf([port], { policy: onePlace });
      const gone = new AbortController();
      const { signal } = gone;
      if (when === "before it begins") {
        gone.abort();
        await expect(client.fetch("/", { signal })).rejects.toMatchObject({
          code: "TENFOLD_ABORTED",
        });
      } else if (when === "before the head") {
        const silent = client.fetch("/silent", { signal });
        await expect.poll(() => open).toBe(1);
        gone.abort();
        await expect(silent).rejects.toMatchObject({ code: "TENFOLD_ABORTED" });
      } else {
        const response = await client.fetch("/endless", { signal });
        if (when === "in the body") {
          const read = response.text();
          gone.abort();
          await expect(read).rejects.toMatchObject({ code: "TENFOLD_ABORTED" });
        } else await response.body?.cancel();
      }
      await expect.poll(() => open).toBe(0);
      expect(await hasPlace(client)).toBe(true);
    },
  );

  it("while it waits for an endpoint", async () => {
    const client = clientOf([]);
    const signal = AbortSignal.timeout(20);
    const held = client.fetch("/", { signal });
    await expect(held).rejects.toMatchObject({ code: "TENFOLD_ABORTED" });
  });
});

it("gives up an answer that nobody reads, and one that is read no further", async () => {
  let open = 0;
  const port = await serverOf((request, response) => {
    if (request.url === "/") return void response.end("ok");
    open++;
    response.on("close", () => open--);
    response.write(Buffer.alloc(8 * 1024 * 1024));
  });
  const client = clientOf([port], { policy: onePlace, bodyIdleMs: 1_000 });
  const unread = await client.fetch("/large");
  expect(await hasPlace(client)).toBe(false);
  await expect.poll(() => open).toBe(0);
  expect(await hasPlace(client)).toBe(true);
  await expect(unread.text()).rejects.toMatchObject({ code: "TENFOLD_DISCOVERY_CALL_FAILED" });
  const begun = (await client.fetch("/large")).body?.getReader();
  await begun?.read();
  await expect.poll(() => open).toBe(0);
  expect(await hasPlace(client)).toBe(true);
});

it("keeps the connection of an answer that has no body", async () => {
  const ports = new Set<unknown>();
  const port = await serverOf((request, response) => {
    ports.add(request.socket.remotePort);
    response.writeHead(request.url === "/304" ? 304 : 204).end();
  });
  const client = clientOf([port], { connectionsMax: 1 });
  for (const path of ["/204", "/304", "/204"]) {
    expect((await client.fetch(path)).body).toBeNull();
  }
  expect(ports.size).toBe(1);
});

it("sends a stream again only while nothing was taken from it", async () => {
  const dead = await serverOf(echo);
  await cleanups.pop()?.();
  const well = await serverOf(echo);
  const ill = await serverOf((_request, response) => void response.writeHead(503).end());
  const put = (client: ServiceClient) =>
    client.fetch("/", { method: "PUT", body: new Blob(["once"]).stream() });
  for (let i = 0; i < 8; i++) {
    const response = await put(clientOf([dead, well]));
    expect(await response.json()).toMatchObject({ body: "once" });
  }
  expect((await put(clientOf([ill, ill]))).status).toBe(503);
});

it("does not say that a stream may be sent again, whatever the method", async () => {
  const port = await serverOf((request) => {
    request.resume().on("end", () => request.socket.destroy());
  });
  const sent = clientOf([port]).fetch("/", { method: "PUT", body: new Blob(["once"]).stream() });
  await expect(sent).rejects.toMatchObject({
    code: "TENFOLD_DISCOVERY_CALL_FAILED",
    retryable: false,
  });
});

it("waits for no list of a resolver that ended without one", async () => {
  const resolver: Resolver = { async *watch() {} };
  const client = clientOf([], { resolver, holdMs: 0, policy: { deadlineMs: 5_000 } });
  await expect(client.fetch("/")).rejects.toMatchObject({
    code: "TENFOLD_DISCOVERY_NO_ENDPOINT",
    message: expect.stringMatching(/within \d ms: none is listed/),
  });
});

describe("bad input and bad answers", () => {
  const codeOf = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => "none",
      (error) => (isTenfoldError(error) ? error.code : String(error)),
    );

  it("refuses a stream that was read, or is being read", async () => {
    const client = clientOf([await serverOf(echo)]);
    const read = new Blob(["x"]).stream();
    await new Response(read).text();
    const locked = new Blob(["x"]).stream();
    locked.getReader();
    const ended = Readable.from(["x"]);
    await ended.toArray();
    for (const body of [read, locked, ended]) {
      const sent = client.fetch("/", { method: "POST", body });
      expect(await codeOf(sent)).toBe("TENFOLD_OPTION_INVALID");
    }
    expect(await codeOf(client.fetch("no slash"))).toBe("TENFOLD_OPTION_INVALID");
    expect(await codeOf(client.fetch("/", { deadlineMs: Number.NaN }))).toBe(
      "TENFOLD_OPTION_INVALID",
    );
    expect(await codeOf(client.fetch("/", { deadlineMs: -1 }))).toBe("TENFOLD_OPTION_INVALID");
    expect(await codeOf(client.fetch("/", { deadlineMs: 1e9 }))).toBe("TENFOLD_OPTION_INVALID");
  });

  it.each([
    ["garbage", "\x00\xff garbage\r\n\r\n", "TENFOLD_DISCOVERY_CALL_FAILED"],
    ["nothing, and closes", "", "TENFOLD_DISCOVERY_CALL_FAILED"],
    ["half a head", "HTTP/1.1 200 OK\r\nx-a: ", "TENFOLD_DISCOVERY_CALL_FAILED"],
    ["a head alone", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", "body"],
    ["a part of its body", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", "body"],
    [
      "a chunk too few",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
      "body",
    ],
    ["no such chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "body"],
    ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx", "any"],
    ["a status that is none", "HTTP/1.1 999 X\r\ncontent-length: 0\r\n\r\n", "any"],
  ])("fails with a code when a server answers %s", async (_what, bytes, expected) => {
    const server = createSocketServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end(bytes, "latin1"));
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    cleanups.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    const client = clientOf([port], { policy: onePlace });
    const whole = await codeOf(client.request({ method: "GET", path: "/" }));
    const streamed = await codeOf(client.fetch("/").then((response) => response.text()));
    if (expected === "any") expect([whole, streamed]).not.toContain("TENFOLD_INTERNAL");
    else expect([whole, streamed]).toEqual(Array(2).fill("TENFOLD_DISCOVERY_CALL_FAILED"));
    expect(await hasPlace(client)).toBe(true);
  });

  it("gives up a server that never answers, and one that stops in the middle", async () => {
    const port = await serverOf((request, response) => {
      if (request.url === "/half") response.write("x");
    });
    const client = clientOf([port], { policy: onePlace, bodyIdleMs: 200 });
    const half = await client.fetch("/half");
    expect(await codeOf(half.text())).toBe("TENFOLD_DISCOVERY_CALL_FAILED");
    const deadlineMs = 1_000;
    expect(await codeOf(client.fetch("/", { deadlineMs }))).toBe("TENFOLD_DEADLINE_EXCEEDED");
    expect(await codeOf(client.request({ method: "GET", path: "/half", deadlineMs }))).toBe(
      "TENFOLD_DEADLINE_EXCEEDED",
    );
    expect(await hasPlace(client)).toBe(true);
  });
});

it("stands in for what fails, and counts and explains it", async () => {
  const ill = await serverOf((_request, response) => void response.writeHead(503).end());
  const client = clientOf([ill], { policy: { retry: false, breaker: { consecutiveMax: 3 } } });
  const reasons: string[] = [];
  for (let i = 0; i < 5; i++) {
    const answer = await client.requestOr({ method: "GET", path: "/" }, ({ reason }) => reason);
    expect(answer.degraded).toBe(true);
    if (answer.degraded) reasons.push(answer.value);
  }
  // 503 refuses for want of capacity; that opens the circuit by its rate and not in a row.
  expect(reasons).toEqual(Array(5).fill("overload"));
  const dead = clientOf([], { holdMs: 0, policy: { breaker: { consecutiveMax: 3 } } });
  const ask = () => dead.requestOr({ method: "GET", path: "/" }, ({ reason }) => reason);
  const answers = [await ask(), await ask(), await ask(), await ask()];
  expect(answers.map(({ value }) => value)).toEqual([
    ...Array(3).fill("unreachable"),
    "circuitOpen",
  ]);
  expect(dead.explain(4).map(({ kind, why }) => `${kind} ${why}`)).toContain(
    "degraded circuitOpen",
  );
});

it("closes its connections to what left the list, and makes them anew with age", async () => {
  const sockets = new Set<unknown>();
  let connections = 0;
  const server = createServer((_request, response) => response.end("ok"));
  server.on("connection", (socket) => {
    connections++;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const left = Promise.withResolvers<void>();
  const [endpoint] = await firstOf(staticResolver({ posts: [{ address: "127.0.0.1", port }] }));
  const resolver: Resolver = {
    async *watch() {
      yield endpoint === undefined ? [] : [endpoint];
      await left.promise;
      yield [];
    },
  };
  const client = clientOf([], { resolver, connectionAgeMs: 1_000, connectionsMax: 1 });
  const get = () => client.request({ method: "GET", path: "/" });
  await get();
  expect(connections).toBe(1);
  await expect.poll(async () => (await get()).status === 200 && connections).toBeGreaterThan(1);
  await expect.poll(() => sockets.size).toBe(1);
  left.resolve();
  await expect.poll(() => sockets.size).toBe(0);
});

it("cuts what is under way when it is closed, at what left the list too", async () => {
  let open = 0;
  const port = await serverOf((_request, response) => {
    open++;
    response.on("close", () => open--);
    response.write("x");
  });
  const left = Promise.withResolvers<void>();
  const [endpoint] = await firstOf(staticResolver({ posts: [{ address: "127.0.0.1", port }] }));
  const gone = Promise.withResolvers<void>();
  const resolver: Resolver = {
    async *watch() {
      yield endpoint === undefined ? [] : [endpoint];
      await left.promise;
      yield [];
      gone.resolve();
    },
  };
  const client = clientOf([], { resolver, bodyIdleMs: 600_000 });
  const text = (await client.fetch("/")).text();
  left.resolve();
  await gone.promise;
  expect(open).toBe(1);
  await client.close();
  await expect(text).rejects.toMatchObject({ code: "TENFOLD_DISCOVERY_CALL_FAILED" });
  await expect.poll(() => open).toBe(0);
});

async function firstOf(resolver: Resolver): Promise<readonly Endpoint[]> {
  for await (const list of resolver.watch("posts")) return list;
  return [];
}

it("says so when a request cannot be sent at all, and asks nobody else", async () => {
  const client = clientOf([await serverOf(echo)]);
  const sent = client.fetch("/", { headers: { "keep-alive": "5" } });
  await expect(sent).rejects.toMatchObject({ code: "TENFOLD_OPTION_INVALID" });
});
