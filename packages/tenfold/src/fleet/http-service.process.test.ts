import { once } from "node:events";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";

import { TenfoldError } from "../runtime/errors.ts";
import { jsonLog } from "../runtime/log.ts";
import { createRegistry } from "../telemetry/registry.ts";
import { createHttpService, type HttpService, type HttpServiceOptions } from "./http-service.ts";
import type { ServiceRoutes } from "./service.ts";

const open: HttpService[] = [];
/** Kept alive as real clients are: a connection that is to close breaks while a body is sent. */
const shared = new Agent({ keepAlive: true });
afterEach(async () => {
  shared.destroy();
  await Promise.all(open.splice(0).map((service) => service.close({ graceMs: 0 })));
});

const lines: string[] = [];
const metrics = createRegistry();

async function serve(
  routes: ServiceRoutes,
  options: Partial<HttpServiceOptions> = {},
): Promise<HttpService> {
  const service = await createHttpService({
    listen: { host: "127.0.0.1", port: 0 },
    routes,
    metrics,
    runtime: { log: jsonLog({ write: (line) => lines.push(line) }) },
    ...options,
  });
  open.push(service);
  return service;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

async function ask(
  service: HttpService,
  method: string,
  path: string,
  options: {
    headers?: Record<string, string>;
    body?: string | Uint8Array;
    agent?: Agent;
    signal?: AbortSignal;
  } = {},
): Promise<Answer> {
  const { headers, body, agent, signal } = options;
  const sent = httpRequest({
    port: service.port,
    method,
    path,
    ...(headers && { headers }),
    agent: agent ?? shared,
    ...(signal && { signal }),
  });
  sent.end(body);
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const { statusCode = 0, headers: received } = response;
  return { status: statusCode, headers: received, body: await text(response) };
}

function codeOf(answer: Answer): unknown {
  return (JSON.parse(answer.body) as { error: { code: unknown } }).error.code;
}

/** What comes back on a bare connection, until it is closed. */
async function rawExchange(service: HttpService, sent: string): Promise<string> {
  const socket = connect(service.port, "127.0.0.1");
  socket.write(sent);
  return await text(socket);
}

const json = { "content-type": "application/json" };
const echo: ServiceRoutes = {
  "POST /echo/:name": async (request) => ({
    status: 200,
    body: { got: await request.json(), name: request.params.name },
  }),
};

describe("bad input", () => {
  it.each([
    ["no content type", {}, "{}", 415, "TENFOLD_FLEET_CONTENT_TYPE_UNSUPPORTED"],
    [
      "a form",
      { "content-type": "text/plain" },
      "{}",
      415,
      "TENFOLD_FLEET_CONTENT_TYPE_UNSUPPORTED",
    ],
    [
      "another charset",
      { "content-type": "application/json; charset=euc-kr" },
      "{}",
      415,
      "TENFOLD_FLEET_CONTENT_TYPE_UNSUPPORTED",
    ],
    [
      "a coding",
      { ...json, "content-encoding": "gzip" },
      "{}",
      415,
      "TENFOLD_FLEET_CONTENT_TYPE_UNSUPPORTED",
    ],
    ["nothing", json, "", 400, "TENFOLD_FLEET_REQUEST_INVALID"],
    ["broken JSON", json, '{"a":', 400, "TENFOLD_FLEET_REQUEST_INVALID"],
    ["no UTF-8", json, new Uint8Array([0x22, 0xff, 0x22]), 400, "TENFOLD_FLEET_REQUEST_INVALID"],
    ["half a pair", json, '"\\ud800"', 400, "TENFOLD_FLEET_REQUEST_INVALID"],
    ["a control character", json, '{"a":["x\\u0000"]}', 400, "TENFOLD_FLEET_REQUEST_INVALID"],
    [
      "a prototype",
      json,
      '{"a":{"__proto__":{"admin":true}}}',
      400,
      "TENFOLD_FLEET_REQUEST_INVALID",
    ],
    [
      "deep nesting",
      json,
      "[".repeat(30_000) + "]".repeat(30_000),
      400,
      "TENFOLD_FLEET_REQUEST_INVALID",
    ],
    ["too much", json, `"${"x".repeat(65_536)}"`, 413, "TENFOLD_FLEET_BODY_TOO_LARGE"],
    ["far too much", json, `"${"x".repeat(5_000_000)}"`, 413, "TENFOLD_FLEET_BODY_TOO_LARGE"],
    [
      "too much in chunks",
      { ...json, "transfer-encoding": "chunked" },
      `"${"x".repeat(900_000)}"`,
      413,
      "TENFOLD_FLEET_BODY_TOO_LARGE",
    ],
    [
      "a bad deadline",
      { ...json, "tenfold-deadline-ms": "-1" },
      "{}",
      400,
      "TENFOLD_RESILIENCE_DEADLINE_INVALID",
    ],
  ])("%s is refused with a code", async (_what, headers, body, status, code) => {
    const service = await serve(echo);
    const answer = await ask(service, "POST", "/echo/a", { headers, body });
    expect([answer.status, codeOf(answer)]).toEqual([status, code]);
    const again = await ask(service, "POST", "/echo/a", { headers: json, body: "{}" });
    expect(again.status).toBe(200);
  });

  it("answers unknown paths and methods, and paths that are none", async () => {
    const service = await serve(echo);
    const unknown = await ask(service, "GET", "/nowhere");
    expect([unknown.status, codeOf(unknown)]).toEqual([404, "TENFOLD_FLEET_ROUTE_UNKNOWN"]);
    const method = await ask(service, "PUT", "/echo/a");
    expect([method.status, method.headers.allow]).toEqual([405, "POST"]);
    const malformed = await ask(service, "POST", "/echo/%ff");
    expect([malformed.status, codeOf(malformed)]).toEqual([400, "TENFOLD_FLEET_REQUEST_INVALID"]);
  });

  it("answers what is no HTTP at all in the same form, and closes", async () => {
    const service = await serve(echo);
    expect(await rawExchange(service, "hello\r\n\r\n")).toMatch(
      /^HTTP\/1.1 400 .*connection: close.*"TENFOLD_FLEET_REQUEST_INVALID"/s,
    );
    const long = `GET / HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(20_000)}\r\n\r\n`;
    expect(await rawExchange(service, long)).toMatch(/^HTTP\/1.1 431 /);
  });

  it("does not wait for a caller that sends its headers drop by drop", async () => {
    const service = await serve(echo, { limits: { headersMs: 300, requestMs: 300 } });
    expect(await rawExchange(service, "GET / HT")).toMatch(/^HTTP\/1.1 408 /);
  });
});

describe("answers", () => {
  it("sends bigints as text, HEAD without a body, and bytes as they are", async () => {
    const service = await serve({
      "GET /json": () => ({ status: 201, body: { id: 2n ** 63n, gone: undefined } }),
      "GET /bytes": () => ({
        status: 200,
        headers: { "content-type": "image/png" },
        body: new Uint8Array([1, 2]),
      }),
      "DELETE /nothing": () => ({ status: 204 }),
    });
    const answer = await ask(service, "GET", "/json");
    expect([answer.status, answer.body]).toEqual([201, '{"id":"9223372036854775808"}']);
    expect(answer.headers["content-type"]).toBe("application/json; charset=utf-8");
    const head = await ask(service, "HEAD", "/json");
    expect([head.body, head.headers["content-length"]]).toEqual(["", "28"]);
    expect((await ask(service, "GET", "/bytes")).headers["content-type"]).toBe("image/png");
    const nothing = await ask(service, "DELETE", "/nothing");
    expect([nothing.status, nothing.body]).toEqual([204, ""]);
  });

  it("ends HEAD of a stream that never ends", async () => {
    const endless = async function* (): AsyncGenerator<string> {
      await new Promise(() => {});
    };
    const service = await serve({ "GET /": () => ({ status: 200, body: endless() }) });
    // Bare, since Node's client closes such a connection of itself.
    const head = (connection: string): string =>
      `HEAD / HTTP/1.1\r\nhost: a\r\nconnection: ${connection}\r\n\r\n`;
    const answers = await rawExchange(service, head("keep-alive") + head("close"));
    expect(answers.match(/^HTTP\/1.1 200 OK\r\n/gm)).toHaveLength(2);
  });

  it("takes over a request id that is safe in a log, and makes one otherwise", async () => {
    const service = await serve({
      "GET /": ({ headers }) => ({ status: 200, body: String(headers["x-request-id"]) }),
    });
    const taken = await ask(service, "GET", "/", { headers: { "x-request-id": "abc-1" } });
    expect([taken.body, taken.headers["x-request-id"]]).toEqual(["abc-1", "abc-1"]);
    const made = await ask(service, "GET", "/", { headers: { "x-request-id": 'a" b' } });
    expect(made.body).toMatch(/^[0-9a-f]{16}$/);
    expect(made.headers["x-request-id"]).toBe(made.body);
  });

  it("turns errors into statuses, and tells nothing of those that nobody foresaw", async () => {
    const full = new TenfoldError("TENFOLD_QUEUEING_FULL", "Full.", {
      retryable: true,
      retryAfterMs: 2_500,
      details: { waiting: 3 },
    });
    const errors: Record<string, unknown> = {
      full,
      down: new TenfoldError("TENFOLD_POSTGRES_UNAVAILABLE", "Down.", { retryable: true }),
      app: Object.assign(new Error("No such post."), { status: 404, code: "POSTS_NOT_FOUND" }),
      plain: new Error("password=hunter2"),
      library: Object.assign(new Error("hunter2"), { status: 500, code: "ECONN" }),
      nothing: undefined,
    };
    const service = await serve({
      "GET /:which": ({ params }) => {
        throw errors[params.which as string];
      },
      "POST /unsendable": () => ({ status: 200, headers: { "bad header": "x" }, body: {} }),
    });
    const told = async (which: string): Promise<unknown[]> => {
      const answer = await ask(service, "GET", `/${which}`);
      return [answer.status, answer.headers["retry-after"], answer.body];
    };
    expect(await told("full")).toEqual([
      429,
      "3",
      '{"error":{"code":"TENFOLD_QUEUEING_FULL","message":"Full.","details":{"waiting":3}}}',
    ]);
    expect((await told("down")).slice(0, 2)).toEqual([503, "1"]);
    expect((await told("app")).at(2)).toContain('"POSTS_NOT_FOUND"');
    for (const which of ["plain", "library", "nothing"]) {
      const [status, , body] = await told(which);
      expect(status).toBe(500);
      expect(body).not.toContain("hunter2");
    }
    expect((await ask(service, "POST", "/unsendable")).status).toBe(500);
    expect(lines.some((line) => line.includes("requestId") && line.includes("hunter2"))).toBe(true);
  });
});

describe("time", () => {
  it("answers once when the caller's deadline passes, and tells the handler", async () => {
    let aborted: unknown;
    const service = await serve({
      "GET /": async ({ signal, remainingMs }) => {
        expect(remainingMs()).toBeLessThanOrEqual(50);
        await once(signal, "abort");
        aborted = signal.reason;
        throw new Error("too late to matter");
      },
    });
    const answer = await ask(service, "GET", "/", { headers: { "tenfold-deadline-ms": "50" } });
    expect([answer.status, codeOf(answer)]).toEqual([504, "TENFOLD_DEADLINE_EXCEEDED"]);
    expect(aborted).toMatchObject({ code: "TENFOLD_DEADLINE_EXCEEDED" });
  });

  it("tells the handler when the caller goes away, and counts it as 499", async () => {
    const began = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<unknown>();
    const service = await serve({
      "GET /gone": async ({ signal }) => {
        began.resolve();
        await once(signal, "abort");
        ended.resolve(signal.reason);
        return { status: 200 };
      },
    });
    const caller = new AbortController();
    const asked = ask(service, "GET", "/gone", { signal: caller.signal });
    asked.catch(() => {});
    await began.promise;
    caller.abort();
    expect(await ended.promise).toMatchObject({ code: "TENFOLD_ABORTED" });
    const counted = metrics
      .read()
      .find(({ name }) => name === "tenfold_http_requests_total")
      ?.samples.map(({ labels }) => labels.map(([, value]) => value).join(" "));
    expect(counted).toContain("GET /gone GET 499");
  });

  it("measures what it took without what a long poll waited", async () => {
    const service = await serve({
      "GET /poll": () => ({ status: 200, waitedMs: 60_000 }),
      "GET /work": () => ({ status: 200 }),
    });
    await ask(service, "GET", "/poll");
    await ask(service, "GET", "/work");
    const sums = metrics
      .read()
      .find(({ name }) => name === "tenfold_http_request_duration_seconds")
      ?.samples.filter(({ suffix }) => suffix === "_sum")
      .map(({ labels, value }) => [labels[0]?.[1], value > 0]);
    expect(Object.fromEntries(sums ?? [])).toMatchObject({
      "GET /poll": false,
      "GET /work": true,
    });
  });

  it("refuses more requests than it may have under way", async () => {
    const began = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const routes: ServiceRoutes = {
      "GET /": async () => {
        began.resolve();
        await release.promise;
        return { status: 200 };
      },
    };
    const service = await serve(routes, { limits: { requestsMax: 1 } });
    const first = ask(service, "GET", "/");
    await began.promise;
    const second = await ask(service, "GET", "/");
    expect([second.status, codeOf(second)]).toEqual([503, "TENFOLD_FLEET_BUSY"]);
    release.resolve();
    expect((await first).status).toBe(200);
  });
});

describe("drain", () => {
  it("asks callers to leave, finishes what is under way, and then is closed", async () => {
    const release = Promise.withResolvers<void>();
    const began = Promise.withResolvers<void>();
    const service = await serve({
      "GET /slow": async () => {
        began.resolve();
        await release.promise;
        return { status: 200, body: "whole" };
      },
      "GET /": () => ({ status: 200 }),
    });
    const agent = new Agent({ keepAlive: true });
    expect((await ask(service, "GET", "/", { agent })).headers.connection).toBe("keep-alive");
    const slow = ask(service, "GET", "/slow");
    await began.promise;
    service.drain();
    expect((await ask(service, "GET", "/", { agent })).headers.connection).toBe("close");
    const closed = service.close();
    await expect(ask(service, "GET", "/")).rejects.toThrow("ECONNREFUSED");
    release.resolve();
    expect((await slow).body).toBe("whole");
    await closed;
    await service.close();
    agent.destroy();
  });

  it("cuts what does not end within the grace period", async () => {
    const began = Promise.withResolvers<void>();
    const service = await serve({
      "GET /": () => {
        began.resolve();
        return new Promise(() => {});
      },
    });
    const asked = ask(service, "GET", "/");
    asked.catch(() => {});
    await began.promise;
    await service.close({ graceMs: 20 });
    await expect(asked).rejects.toThrow();
  });

  it("says which port is taken", async () => {
    const service = await serve({});
    await expect(serve({}, { listen: { host: "127.0.0.1", port: service.port } })).rejects.toThrow(
      expect.objectContaining({ code: "TENFOLD_FLEET_PORT_TAKEN" }),
    );
  });
});
