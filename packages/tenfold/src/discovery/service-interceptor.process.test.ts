import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { buffer } from "node:stream/consumers";

import * as undici6 from "undici6";
import * as undici7 from "undici7";
import * as undici8 from "undici8";
import { afterEach, describe, expect, it } from "vitest";

import { builtInDispatcher } from "./dispatcher.ts";
import { type ServiceInterceptorOptions, serviceInterceptor } from "./service-interceptor.ts";
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

/** Tells what came. */
const echo: RequestListener = async (request, response) => {
  const body = (await buffer(request)).toString();
  const { method, url, headers } = request;
  response.setHeader("set-cookie", ["a=1", "b=2"]);
  response.end(JSON.stringify({ method, url, headers, body }));
};
const refusing: RequestListener = (_request, response) => {
  response.writeHead(503).end("not now");
};

function intercept(ports: readonly number[], options: Partial<ServiceInterceptorOptions> = {}) {
  const posts = ports.map((port) => ({ address: "127.0.0.1", port }));
  const made = serviceInterceptor({
    service: "posts",
    resolver: staticResolver({ posts }),
    ...options,
  });
  cleanups.push(() => made.close());
  return made;
}

type Fetch = (url: string, init?: object) => Promise<Response>;
type Use = (options: ReturnType<typeof intercept>) => Fetch;

function withAgent(undici: { Agent: unknown; fetch: unknown }): Use {
  return (interceptor) => {
    const { Agent, fetch: own } = undici as unknown as {
      Agent: new () => { compose(i: unknown): unknown; close(): Promise<void> };
      fetch: Fetch;
    };
    const agent = new Agent();
    cleanups.push(() => agent.close());
    const dispatcher = agent.compose(interceptor);
    return (url, init) => own(url, { ...init, dispatcher });
  };
}

const kinds: readonly (readonly [string, Use])[] = [
  [
    "the fetch of Node",
    (interceptor) => {
      const dispatcher = builtInDispatcher().compose(interceptor);
      return (url, init) => fetch(url, { ...init, dispatcher } as RequestInit);
    },
  ],
  ["undici 6", withAgent(undici6)],
  ["undici 7", withAgent(undici7)],
  ["undici 8", withAgent(undici8)],
];

describe.each(kinds)("%s", (_name, use) => {
  it("reaches an instance by the name of its service, with what it sent", async () => {
    const call = use(intercept([await serverOf(echo)]));
    const response = await call("http://posts/a%2Fb?q=1", {
      method: "POST",
      body: "hello",
      headers: { "x-mine": "1" },
    });
    const came = (await response.json()) as { headers: Record<string, string> };
    expect(came).toMatchObject({ method: "POST", url: "/a%2Fb?q=1", body: "hello" });
    expect(came.headers["x-mine"]).toBe("1");
    expect(came.headers.host).toMatch(/^127\.0\.0\.1:/);
    expect(Number(came.headers["tenfold-deadline-ms"])).toBeGreaterThan(1_000);
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect([response.status, response.statusText]).toEqual([200, "OK"]);
  });

  it("goes past what is dead or refuses, and says why", async () => {
    const dead = await serverOf(echo);
    await cleanups.pop()?.();
    const interceptor = intercept([dead, await serverOf(refusing), await serverOf(echo)]);
    const call = use(interceptor);
    for (let i = 0; i < 10; i++) expect((await call("http://posts/")).status).toBe(200);
    const kinds = new Set(interceptor.explain().map(({ kind }) => kind));
    expect(kinds).toContain("picked");
    expect(kinds.has("rerouted") || kinds.has("retried")).toBe(true);
  });

  it("streams an answer whole, and gives it up when it is not wanted", async () => {
    let closed = 0;
    const port = await serverOf((request, response) => {
      response.on("close", () => closed++);
      if (request.url === "/endless") response.write("x");
      else response.end(Buffer.alloc(1_000_000, "y"));
    });
    const call = use(intercept([port]));
    expect((await (await call("http://posts/")).arrayBuffer()).byteLength).toBe(1_000_000);
    const gone = new AbortController();
    const endless = await call("http://posts/endless", { signal: gone.signal });
    gone.abort();
    await expect(endless.text()).rejects.toThrow();
    await expect.poll(() => closed).toBe(2);
  });

  it("sends a stream once, and whole", async () => {
    const call = use(intercept([await serverOf(refusing), await serverOf(echo)]));
    const statuses = new Set<number>();
    for (let i = 0; i < 12; i++) {
      const body = new Blob(["part one, ", "part two"]).stream();
      const response = await call("http://posts/", { method: "PUT", body, duplex: "half" });
      statuses.add(response.status);
      if (response.status === 200) {
        expect(await response.json()).toMatchObject({ body: "part one, part two" });
      } else await response.arrayBuffer();
    }
    // What was sent to the one that refuses could not be sent again.
    expect(statuses).toEqual(new Set([200, 503]));
  });

  it("does not say that a stream may be sent again, whatever the method", async () => {
    const port = await serverOf((request) => {
      request.resume().on("end", () => request.socket.destroy());
    });
    const call = use(intercept([port]));
    const body = new Blob(["once"]).stream();
    const error = await call("http://posts/", { method: "PUT", body, duplex: "half" }).catch(
      (cause: unknown) => cause,
    );
    expect((error as Error).cause).toMatchObject({
      code: "TENFOLD_DISCOVERY_CALL_FAILED",
      retryable: false,
    });
  });

  it("passes on what is not for the service", async () => {
    const port = await serverOf(echo);
    const call = use(intercept([]));
    const response = await call(`http://127.0.0.1:${port}/other`);
    expect(await response.json()).toMatchObject({ url: "/other" });
  });

  it("fails with the code when nobody is there, and at once when it is aborted", async () => {
    const call = use(intercept([], { holdMs: 30 }));
    const error = await call("http://posts/").catch((cause: unknown) => cause);
    expect(codeIn(error)).toBe("TENFOLD_DISCOVERY_NO_ENDPOINT");
    const waiting = use(intercept([]));
    const gone = new AbortController();
    const held = waiting("http://posts/", { signal: gone.signal });
    gone.abort();
    await expect(held).rejects.toThrow(/abort/);
  });
});

function codeIn(error: unknown): unknown {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  return cause?.code ?? code;
}

it("is taken by compose, which wants functions of two parameters", () => {
  const dispatch = intercept([])(() => true);
  expect(dispatch.length).toBe(2);
});

it("works for the request of undici 7 and 8 too", async () => {
  const port = await serverOf(echo);
  for (const undici of [undici7, undici8]) {
    const agent = new undici.Agent();
    cleanups.push(() => agent.close());
    const compose = agent.compose.bind(agent) as (interceptor: unknown) => never;
    const { statusCode, body } = await undici.request("http://posts/", {
      dispatcher: compose(intercept([port])),
      method: "POST",
      body: "x",
    });
    expect([statusCode, await body.json()]).toMatchObject([200, { body: "x" }]);
  }
});

describe("what is no request with an answer", () => {
  /** Says of an upgrade or CONNECT what it was, and ends it. */
  async function tunnels(): Promise<number> {
    const server = createServer();
    const told = (request: IncomingMessage, socket: Duplex): void => {
      const key = request.headers["sec-websocket-key"] ?? "";
      const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
      const text = Buffer.from(`${request.method} ${request.url}`);
      const head =
        request.method === "CONNECT"
          ? "HTTP/1.1 200 OK\r\n\r\n"
          : "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n" +
            `sec-websocket-accept: ${accept.digest("base64")}\r\n\r\n`;
      socket.write(head);
      socket.end(Buffer.concat([Buffer.from([0x81, text.length]), text]));
    };
    server.on("upgrade", told).on("connect", told);
    await once(server.listen(0, "127.0.0.1"), "listening");
    cleanups.push(() => server.close());
    return (server.address() as AddressInfo).port;
  }

  it("goes to an instance as it is: a WebSocket of Node", async () => {
    const dispatcher = builtInDispatcher().compose(intercept([await tunnels()]));
    const socket = new WebSocket("ws://posts/chat?a=1", { dispatcher } as never);
    const [{ data }] = (await once(socket, "message")) as [MessageEvent];
    expect(data).toBe("GET /chat?a=1");
    socket.close();
  });

  it.each([
    ["6", undici6],
    ["7", undici7],
    ["8", undici8],
  ])("goes to an instance as it is: CONNECT of undici %s", async (_version, undici) => {
    const agent = new undici.Agent();
    cleanups.push(() => agent.close());
    const compose = agent.compose.bind(agent) as (interceptor: unknown) => never;
    const dispatcher = compose(intercept([await tunnels()]));
    const { connect } = undici as typeof undici7;
    const { statusCode, socket } = await connect("http://posts/far", { dispatcher });
    expect(statusCode).toBe(200);
    expect((await buffer(socket)).toString()).toContain("CONNECT /far");
  });

  it("fails with the code when nobody is there", async () => {
    const agent = new undici7.Agent();
    cleanups.push(() => agent.close());
    const compose = agent.compose.bind(agent) as (interceptor: unknown) => never;
    const dispatcher = compose(intercept([], { holdMs: 30 }));
    const asked = undici7.connect("http://posts/far", { dispatcher });
    await expect(asked).rejects.toMatchObject({ code: "TENFOLD_DISCOVERY_NO_ENDPOINT" });
  });
});

it("sends the parts of an iterator once, and those of a list to every attempt", async () => {
  const ports = [await serverOf(refusing), await serverOf(refusing), await serverOf(echo)];
  const agent = new undici7.Agent();
  cleanups.push(() => agent.close());
  const compose = agent.compose.bind(agent) as (interceptor: unknown) => never;
  const dispatcher = compose(intercept(ports));
  const put = async (body: never): Promise<unknown> => {
    const answer = await undici7.request("http://posts/", { method: "PUT", body, dispatcher });
    const text = await answer.body.text();
    return answer.statusCode === 200 ? (JSON.parse(text) as { body: string }).body : text;
  };
  const parts = [Buffer.from("one, "), Buffer.from("two")];
  for (let i = 0; i < 12; i++) {
    expect(["one, two", "not now"]).toContain(await put(parts.values() as never));
  }
  expect(await put({ [Symbol.iterator]: () => parts.values() } as never)).toBe("one, two");
});
