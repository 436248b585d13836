import { once } from "node:events";
import { Agent, createServer, get, type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect } from "node:net";

import { afterEach, expect, it } from "vitest";

import { staticResolver } from "../discovery/static-resolver.ts";
import { isTenfoldError } from "../runtime/errors.ts";
import { startChildServer } from "../testing/child-server.ts";
import { type Echo, type Stand, stand } from "../testing/gateway-stand.ts";
import { createGateway, type GatewayOptions } from "./gateway.ts";

const open: Stand[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

async function gatewayBefore(backends: number, options?: Partial<GatewayOptions>): Promise<Stand> {
  const one = await stand(backends, options);
  open.push(one);
  return one;
}

async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { error: { code: string } }).error.code;
}

/** The head of the answer; its errors are those of the reader. */
function answerTo(url: string): Promise<IncomingMessage> {
  return new Promise((resolve) => {
    get(url, resolve).on("error", () => {});
  });
}

it("passes a request on with its own headers and none of the client's connection", async () => {
  const one = await gatewayBefore(1);
  const { port } = one.gateway.address;
  const answer = await one.raw(
    "POST /posts/a%2Fb?q=%23 HTTP/1.1\r\nHost: example.org\r\nContent-Length: 2\r\n" +
      "Connection: x-mine, X-Forwarded-For, close\r\nX-Mine: 1\r\nX-Other: 2\r\nTE: trailers\r\n" +
      "Keep-Alive: timeout=5\r\nProxy-Authorization: x\r\nUpgrade: h2c\r\n" +
      "HTTP2-Settings: AAMAAABkAAQAAP__\r\n" +
      "x_forwarded_for: 6.6.6.6\r\nX-Forwarded-For: 6.6.6.6\r\n" +
      "Forwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nTenfold-Internal: 1\r\n" +
      "Tenfold-Deadline-Ms: 700\r\nX-Request-Id: abc-1\r\n\r\nhi",
  );
  const echo = JSON.parse(answer.split("\r\n\r\n")[1] ?? "") as Echo;
  expect(echo.url).toBe("/posts/a%2Fb?q=%23");
  expect(echo.body).toBe("hi");
  const { host, "tenfold-deadline-ms": left, ...headers } = echo.headers;
  expect(host).toMatch(/^127\.0\.0\.1:\d+$/);
  expect(host).not.toContain(String(port));
  expect(Number(left)).toBeLessThanOrEqual(700);
  expect(headers).toEqual({
    "x-other": "2",
    "x-request-id": "abc-1",
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-proto": "http",
    "x-forwarded-host": "example.org",
    "content-length": "2",
    connection: "keep-alive",
  });
});

it("passes an answer on without its connection headers, and names the request", async () => {
  const one = await gatewayBefore(1);
  const plain = await fetch(one.url("/posts"));
  expect(plain.headers.get("x-secret-hop")).toBe("1");
  expect(plain.headers.get("x-request-id")).toMatch(/^[0-9a-f]{32}$/);
  const hop = await fetch(one.url("/posts?hop"), { headers: { "x-request-id": "un safe" } });
  expect(hop.headers.get("x-secret-hop")).toBeNull();
  expect(hop.headers.get("x-request-id")).toMatch(/^[0-9a-f]{32}$/);
  const echo = (await hop.json()) as Echo;
  expect(echo.headers["x-request-id"]).toBe(hop.headers.get("x-request-id"));
});

it("answers itself with a code where it has no route, method or patience", async () => {
  const routes = [{ path: "/posts", service: "posts", methods: ["GET"], bodyBytesMax: 10 }];
  const one = await gatewayBefore(1, { routes });
  const unknown = await fetch(one.url("/postsx"));
  expect([unknown.status, await codeOf(unknown)]).toEqual([404, "TENFOLD_GATEWAY_ROUTE_UNKNOWN"]);
  const refused = await fetch(one.url("/posts"), { method: "PUT" });
  expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET"]);
  const headers = { "tenfold-deadline-ms": "1e9" };
  const absurd = await fetch(one.url("/posts"), { headers });
  expect([absurd.status, await codeOf(absurd)]).toEqual([400, "TENFOLD_GATEWAY_REQUEST_INVALID"]);
  const late = await fetch(one.url("/posts?ms=2000"), {
    headers: { "tenfold-deadline-ms": "150" },
  });
  expect([late.status, await codeOf(late)]).toEqual([504, "TENFOLD_GATEWAY_DEADLINE_EXCEEDED"]);
  await expect.poll(() => one.total("tenfold_gateway_failed_total")).toBe(1);
  expect(one.total("tenfold_gateway_requests_total")).toBe(4);
});

it("refuses bodies over the limit, declared or not, small or streamed", async () => {
  const routes = [{ path: "/posts", service: "posts", bodyBytesMax: 200_000 }];
  const one = await gatewayBefore(1, { routes });
  const post = (bytes: number, chunked = false) => {
    const body = chunked ? new Blob([new Uint8Array(bytes)]).stream() : new Uint8Array(bytes);
    return fetch(one.url("/posts"), { method: "POST", body, duplex: "half" } as RequestInit);
  };
  for (const chunked of [false, true]) {
    const answer = await post(200_001, chunked);
    expect([answer.status, await codeOf(answer)]).toEqual([413, "TENFOLD_GATEWAY_BODY_TOO_LARGE"]);
    for (const bytes of [0, 10, 65_536, 65_537, 200_000]) {
      const echo = (await (await post(bytes, chunked)).json()) as Echo;
      expect(echo.body.length).toBe(bytes);
    }
  }
  expect(one.total("tenfold_gateway_failed_total")).toBe(0);
});

it.each(["", "&chunked"])(
  "breaks off when the service breaks off in its answer %s",
  async (how) => {
    const one = await gatewayBefore(1);
    const error = await fetch(one.url(`/posts?bytes=100000&cut${how}`))
      .then((response) => response.arrayBuffer())
      .then(() => undefined)
      .catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(Error);
    await expect.poll(() => one.total("tenfold_gateway_failed_total")).toBe(1);
  },
);

it("breaks the client's connection when the service stands still in the answer", async () => {
  const one = await gatewayBefore(1, { limits: { responseIdleMs: 1_000 } });
  const response = await answerTo(one.url(`/posts?bytes=${64 * 1024 * 1024}`));
  one.backends[0]?.kill("SIGSTOP");
  const error = await response
    .resume()
    .toArray()
    .catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(Error);
  await expect.poll(() => one.total("tenfold_gateway_failed_total")).toBe(1);
});

it("gives up a client that does not take its answer, which is no failure of ours", async () => {
  const one = await gatewayBefore(1, { limits: { responseIdleMs: 1_000 } });
  const response = await answerTo(one.url(`/posts?bytes=${64 * 1024 * 1024}`));
  response.on("error", () => {});
  await expect.poll(() => one.total("tenfold_gateway_requests_total")).toBe(1);
  expect(one.total("tenfold_gateway_failed_total")).toBe(0);
  response.destroy();
});

it("streams a large answer no faster than its client reads", async () => {
  const one = await gatewayBefore(1);
  const bytes = 64 * 1024 * 1024;
  const before = process.memoryUsage().rss;
  const response = await answerTo(one.url(`/posts?bytes=${bytes}`));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(process.memoryUsage().rss - before).toBeLessThan(bytes / 2);
  let read = 0;
  for await (const chunk of response) read += (chunk as Buffer).length;
  expect(read).toBe(bytes);
});

it("gives up the request at the service when the client goes", async () => {
  const one = await gatewayBefore(1);
  const sent = request(one.url("/posts?ms=60000"), { method: "POST" });
  sent.on("error", () => {});
  sent.end();
  const inFlight = async (): Promise<number> => {
    const echo = (await (await fetch(`http://127.0.0.1:${one.backends[0]?.port}/`)).json()) as Echo;
    return echo.received - echo.count;
  };
  await expect.poll(inFlight).toBe(1);
  sent.destroy();
  const gone = (): number | undefined =>
    one.metrics
      .read()
      .find(({ name }) => name === "tenfold_gateway_requests_total")
      ?.samples.find(({ labels }) => labels.some(([, value]) => value === "gone"))?.value;
  await expect.poll(gone).toBe(1);
  expect(one.total("tenfold_gateway_failed_total")).toBe(0);
});

it("holds requests of every method while the only instance restarts", async () => {
  const one = await gatewayBefore(1);
  const [backend] = one.backends;
  const port = backend?.port as number;
  await backend?.stop();
  const held = ["GET", "POST", "DELETE"].map((method) => fetch(one.url("/posts"), { method }));
  const large = { method: "PUT", body: "x".repeat(200_000) };
  held.push(fetch(one.url("/posts"), large));
  await expect.poll(() => one.total("tenfold_gateway_held")).toBe(4);
  const again = await startChildServer({ port, name: "again" });
  try {
    const echoes = await Promise.all(held.map(async (answer) => (await answer).json()));
    expect(echoes.map((echo) => (echo as Echo).name)).toEqual(Array(4).fill("again"));
    expect(Math.max(...echoes.map((echo) => (echo as Echo).received))).toBe(4);
    expect((echoes.at(-1) as Echo).body).toBe(large.body);
    expect(one.total("tenfold_gateway_held")).toBe(0);
  } finally {
    await again.stop();
  }
});

it("says 503 with Retry-After when nobody comes, and at once when too many wait", async () => {
  const limits = { deadlineMs: 4_000, heldMax: 2 };
  const one = await gatewayBefore(0, { limits });
  const answers = await Promise.all([1, 2, 3].map(() => fetch(one.url("/posts"))));
  const codes = await Promise.all(answers.map(codeOf));
  expect(answers.map((answer) => answer.status)).toEqual([503, 503, 503]);
  expect(answers.every((answer) => answer.headers.get("retry-after") === "1")).toBe(true);
  expect(codes.toSorted()).toEqual([
    "TENFOLD_GATEWAY_HOLD_FULL",
    "TENFOLD_GATEWAY_UNAVAILABLE",
    "TENFOLD_GATEWAY_UNAVAILABLE",
  ]);
});

it("does not repeat a write without a key, and repeats one that has it", async () => {
  const one = await gatewayBefore(2, { limits: { deadlineMs: 60_000, tryTimeoutMs: 4_000 } });
  one.backends[0]?.kill("SIGSTOP");
  const post = (headers: Record<string, string>) =>
    fetch(one.url("/posts"), { method: "POST", body: "x", headers: { ...headers } });
  const keyed = await Promise.all(
    Array.from({ length: 6 }, (_, i) => post({ "idempotency-key": `k${i}` })),
  );
  for (const answer of keyed) expect(((await answer.json()) as Echo).name).toBe("b1");
  one.backends[1]?.kill("SIGSTOP");
  const plain = await post({ "tenfold-deadline-ms": "400" });
  expect(plain.status).toBe(504);
  for (const backend of one.backends) backend.kill("SIGCONT");
  const counts = one.backends.map(async ({ port }) => {
    const echo = (await (await fetch(`http://127.0.0.1:${port}/`)).json()) as Echo;
    return echo.count - 1;
  });
  // Six with a key, at most one repetition of each, and the plain one once at most.
  const sum = (await Promise.all(counts)).reduce((a, b) => a + b, 0);
  expect(sum).toBeGreaterThanOrEqual(6);
  expect(sum).toBeLessThanOrEqual(13);
});

it("finishes what is under way when it is closed, and takes nothing new", async () => {
  const one = await gatewayBefore(1, { limits: { deadlineMs: 60_000, tryTimeoutMs: 60_000 } });
  const agent = new Agent({ keepAlive: true });
  const slow = fetch(one.url("/posts?ms=6000"));
  const idle = new Promise<IncomingMessage>((resolve) =>
    get(one.url("/posts"), { agent }, resolve),
  );
  (await idle).resume();
  await expect.poll(() => one.total("tenfold_discovery_picks_total")).toBe(2);
  const began = performance.now();
  // Closed when the last answer is given, not when its time is over.
  const closed = one.gateway.close({ graceMs: 100_000 });
  expect(one.gateway.ready).toBe(false);
  const last = await new Promise<IncomingMessage>((resolve) =>
    get(one.url("/posts"), { agent }, resolve),
  );
  last.resume();
  expect(last.headers.connection).toBe("close");
  expect((await slow).status).toBe(200);
  await closed;
  expect(performance.now() - began).toBeLessThan(90_000);
  await expect(fetch(one.url("/posts"))).rejects.toThrow();
  agent.destroy();
});

it("cuts clients that send their head too slowly", async () => {
  const limits = { headersTimeoutMs: 200, requestTimeoutMs: 400 };
  const one = await gatewayBefore(1, { limits });
  expect(await one.raw("GET /posts HTTP/1.1\r\nHost: a\r\nX-A")).toMatch(/^HTTP\/1.1 408 /);
  expect(await one.raw("POST /posts HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")).toMatch(
    /^HTTP\/1.1 408 /,
  );
});

it("names what is wrong with its options", async () => {
  const one = await gatewayBefore(0);
  const create = async (options: Partial<GatewayOptions>): Promise<string> => {
    const { address } = one.gateway;
    const resolver = { async *watch() {} };
    return createGateway({ listen: address, routes: [], resolver, ...options }).then(
      () => "none",
      (error) => (isTenfoldError(error) ? error.code : String(error)),
    );
  };
  expect(await create({})).toBe("TENFOLD_GATEWAY_PORT_TAKEN");
  expect(await create({ limits: { heldMax: -1 } })).toBe("TENFOLD_OPTION_INVALID");
  expect(await create({ limits: { held: 1 } as never })).toBe("TENFOLD_OPTION_UNKNOWN");
  expect(await create({ resolvers: [] } as never)).toBe("TENFOLD_OPTION_UNKNOWN");
  const routes = [{ path: "/a/", service: "a" }];
  expect(await create({ routes })).toBe("TENFOLD_GATEWAY_ROUTE_INVALID");
});

it("takes no port when its options are wrong, and watches nothing when it has no port", async () => {
  const one = await gatewayBefore(0);
  const { address } = await gatewayBefore(0).then(async ({ gateway }) => {
    await gateway.close();
    return gateway;
  });
  const routes = [{ path: "/a", service: "a" }];
  const signals: (AbortSignal | undefined)[] = [];
  const resolver: GatewayOptions["resolver"] = {
    async *watch(_service, { signal } = {}) {
      signals.push(signal);
      yield [];
    },
  };
  const balancing = { picking: "wrong" as never };
  await expect(createGateway({ listen: address, routes, resolver, balancing })).rejects.toThrow();
  const free = createServer().listen(address.port, address.host);
  await once(free, "listening");
  free.close();
  await expect(
    createGateway({ listen: one.gateway.address, routes, resolver }),
  ).rejects.toMatchObject({ code: "TENFOLD_GATEWAY_PORT_TAKEN" });
  expect(signals.map((signal) => signal?.aborted)).toEqual([true]);
});

it("believes of a proxy in front what it added, whatever its client had said", async () => {
  const one = await gatewayBefore(1, { trustForwarded: true });
  const answer = await one.raw(
    "GET /posts HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" +
      "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: evil\r\n" +
      "X-Forwarded-For: 10.0.0.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\n\r\n",
  );
  const { headers } = JSON.parse(answer.split("\r\n\r\n")[1] ?? "") as Echo;
  expect(headers).toMatchObject({
    "x-forwarded-for": "6.6.6.6, 10.0.0.9, 127.0.0.1",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "b",
  });
});

it("does not keep an answer that stands still and that it has no use for", async () => {
  let open = 0;
  const ill = createServer((_request, response) => {
    open++;
    response.on("close", () => open--);
    response.writeHead(503, { "content-length": 10 }).write("x");
  });
  await once(ill.listen(0, "127.0.0.1"), "listening");
  const { port } = ill.address() as AddressInfo;
  const ill2 = createServer((request, response) => void ill.emit("request", request, response));
  await once(ill2.listen(0, "127.0.0.1"), "listening");
  const ports = [port, (ill2.address() as AddressInfo).port];
  const posts = ports.map((each) => ({ address: "127.0.0.1", port: each }));
  const limits = { responseIdleMs: 1_000 };
  const one = await gatewayBefore(0, { resolver: staticResolver({ posts }), limits });
  await fetch(one.url("/posts"))
    .then((response) => response.text())
    .catch(() => {});
  await expect.poll(() => open).toBe(0);
  ill.close();
  ill2.close();
}, 15_000);

it("ends the connection of an upload that was answered before its end", async () => {
  const early = createServer((_request, response) => void response.writeHead(403).end("no"));
  await once(early.listen(0, "127.0.0.1"), "listening");
  const posts = [{ address: "127.0.0.1", port: (early.address() as AddressInfo).port }];
  const limits = { bodyBytesMax: 2 ** 28 };
  const one = await gatewayBefore(0, { resolver: staticResolver({ posts }), limits });
  const agent = new Agent({ keepAlive: true });
  const sent = request(one.url("/posts"), { method: "POST", agent });
  sent.on("error", () => {});
  sent.write(Buffer.alloc(1024 * 1024));
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  expect(answer.statusCode).toBe(403);
  expect(answer.headers.connection).toBe("close");
  expect(String(Buffer.concat(await answer.toArray()))).toBe("no");
  await expect.poll(() => sent.socket?.destroyed).toBe(true);
  agent.destroy();
  early.closeAllConnections();
  early.close();
});

it("continues for a client that waits, and refuses before it sends too much", async () => {
  const one = await gatewayBefore(1);
  const { host, port } = one.gateway.address;
  const socket = connect(port, host);
  const head = "POST /posts HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\n";
  socket.write(`${head}Content-Length: 2\r\n\r\n`);
  const [first] = await once(socket, "data");
  expect(String(first)).toBe("HTTP/1.1 100 Continue\r\n\r\n");
  socket.write("ok");
  const [second] = await once(socket, "data");
  expect(String(second)).toMatch(/^HTTP\/1.1 200 /);
  socket.destroy();
  expect(await one.raw(`${head}Content-Length: 2000000\r\n\r\n`)).toMatch(/^HTTP\/1.1 413 /);
});
