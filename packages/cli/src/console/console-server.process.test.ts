import { request } from "node:http";
import { silentLog, TenfoldError } from "tenfold/runtime";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { type ConsoleServer, createConsoleServer } from "./console-server.ts";
import { fleetView } from "./fleet-view.ts";

const token = "a-token-of-this-test";
const done: string[] = [];
const view = fleetView("posts", "local");
const asset = {
  type: "text/html; charset=utf-8",
  body: Buffer.from("<p>page</p>"),
  immutable: false,
};
let server: ConsoleServer;

beforeAll(async () => {
  server = await createConsoleServer({
    listen: { host: "127.0.0.1", port: 0 },
    token,
    state: (since) => view.state(0, 0, since),
    actions: {
      async kill(instance) {
        if (instance === "gone")
          throw new TenfoldError("TENFOLD_CONSOLE_SOURCE_FAILED", "no answer");
        done.push(`kill ${instance}`);
      },
      async restart(service) {
        done.push(`restart ${service}`);
      },
      async undo(setting, change) {
        if (change === 1) {
          throw new TenfoldError("TENFOLD_FLAGS_CHANGED_MEANWHILE", "it is at change 2");
        }
        done.push(`undo ${setting} ${change}`);
      },
    },
    assets: new Map([["/", asset]]),
    log: silentLog,
  });
});
afterAll(() => server.close());

interface Answer {
  readonly status: number | undefined;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

interface Call {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Resolve with what has come as soon as this is in it. */
  readonly until?: string;
}

function call(path: string, { method = "GET", headers = {}, body, until }: Call = {}) {
  return new Promise<Answer>((resolve, reject) => {
    const ask = request(
      { port: server.port, host: "127.0.0.1", path, method, headers },
      (answer) => {
        let text = "";
        const finish = () => {
          resolve({ status: answer.statusCode, headers: answer.headers, body: text });
          if (until !== undefined) ask.destroy();
        };
        answer.on("data", (chunk) => {
          text += chunk;
          if (until !== undefined && text.includes(until)) finish();
        });
        answer.on("end", finish);
      },
    );
    ask.on("error", reject);
    ask.end(body);
  });
}

const bearer = { authorization: `Bearer ${token}` };
const json = { "content-type": "application/json" };
const own = () => `http://127.0.0.1:${server.port}`;
const kill = { method: "POST", body: JSON.stringify({ instance: "posts-2" }) };

async function cookie(): Promise<string> {
  const { headers } = await call(`/?token=${token}`);
  return String(headers["set-cookie"]).split(";")[0] as string;
}

const routes = [
  ["GET", "/"],
  ["GET", "/api/state.json"],
  ["GET", "/api/stream"],
  ["POST", "/api/kill"],
  ["POST", "/api/restart"],
  ["POST", "/login"],
  ["GET", "/login.css"],
  ["GET", "/assets/none.js"],
] as const;

describe("trust, on every route", () => {
  test.each(routes)(
    "%s %s refuses a Host that is not its own (DNS rebinding)",
    async (method, path) => {
      const headers = { ...bearer, ...json, host: "rebound.example:8090" };
      const answer = await call(path, { method, headers });
      expect(answer.status).toBe(403);
      expect(JSON.parse(answer.body).error.code).toBe("TENFOLD_FLEET_HOST_REFUSED");
    },
  );

  test.each(routes)("%s %s refuses the page of another origin", async (method, path) => {
    for (const origin of ["https://evil.example", "http://127.0.0.1:1", "null"]) {
      const answer = await call(path, { method, headers: { ...bearer, ...json, origin } });
      expect(answer.status).toBe(403);
      expect(JSON.parse(answer.body).error.code).toBe("TENFOLD_FLEET_ORIGIN_REFUSED");
    }
  });

  test.each(routes.slice(0, 5))("%s %s wants the token", async (method, path) => {
    for (const wrong of [
      {},
      { authorization: "Bearer wrong" },
      { cookie: `tenfold-console-${server.port}=x` },
    ]) {
      const answer = await call(path, {
        method,
        headers: { ...json, ...wrong },
        ...(method === "POST" ? { body: kill.body } : {}),
      });
      expect(answer.status).toBe(401);
      expect(answer.body).not.toContain("<p>page</p>");
    }
  });

  test("nothing of all this was done", () => {
    expect(done).toEqual([]);
  });
});

describe("the visit", () => {
  test("a token in the address becomes a cookie that is not the token", async () => {
    const { status, headers } = await call(`/?token=${token}`);
    expect(status).toBe(303);
    expect(headers.location).toBe("/");
    const set = String(headers["set-cookie"]);
    expect(set).toMatch(/; HttpOnly; SameSite=Strict$/);
    expect(set).not.toContain(token);
    const page = await call("/", { headers: { cookie: await cookie() } });
    expect([page.status, page.body]).toEqual([200, "<p>page</p>"]);
  });

  test("a wrong token is told so, and gets no cookie", async () => {
    const { status, headers, body } = await call("/?token=wrong");
    expect(status).toBe(401);
    expect(headers["set-cookie"]).toBeUndefined();
    expect(body).toContain("This is not the token of this fleet.");
  });

  test("the login page's form opens too", async () => {
    const headers = { "content-type": "application/x-www-form-urlencoded", origin: own() };
    const post = (body: string) => call("/login", { method: "POST", headers, body });
    expect((await post(`token=${token}`)).status).toBe(303);
    expect((await post("token=wrong")).status).toBe(401);
  });

  test("every answer forbids foreign script, sniffing and frames", async () => {
    for (const path of ["/", "/api/state.json", "/login.css"]) {
      const { headers } = await call(path);
      expect(headers["content-security-policy"]).toMatch(
        /default-src 'self'.*frame-ancestors 'none'/,
      );
      expect(headers["x-content-type-options"]).toBe("nosniff");
    }
  });
});

describe("actions", () => {
  test("by cookie they need the page's own origin", async () => {
    const headers = { ...json, cookie: await cookie() };
    expect((await call("/api/kill", { ...kill, headers })).status).toBe(403);
    const withOrigin = { ...headers, origin: own() };
    expect((await call("/api/kill", { ...kill, headers: withOrigin })).status).toBe(202);
    expect(done.splice(0)).toEqual(["kill posts-2"]);
  });

  test("by Bearer they need none", async () => {
    const headers = { ...json, ...bearer };
    const body = JSON.stringify({ service: "posts" });
    expect((await call("/api/restart", { method: "POST", headers, body })).status).toBe(202);
    expect(done.splice(0)).toEqual(["restart posts"]);
  });

  test.each([
    ["no JSON", json, "{"],
    ["no name", json, "{}"],
    ["a name that is no text", json, '{"instance":7}'],
    ["null", json, "null"],
    ["a form", { "content-type": "text/plain" }, '{"instance":"posts-2"}'],
    ["a long body", json, JSON.stringify({ instance: "x".repeat(5_000) })],
  ])("%s is a 400 with a code", async (_, type, body) => {
    const answer = await call("/api/kill", {
      method: "POST",
      headers: { ...bearer, ...type },
      body,
    });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body).error.code).toBe("TENFOLD_CONSOLE_REQUEST_INVALID");
    expect(done).toEqual([]);
  });

  test("what the supervisor cannot do is a 502 with its words", async () => {
    const headers = { ...json, ...bearer };
    const body = JSON.stringify({ instance: "gone" });
    const answer = await call("/api/kill", { method: "POST", headers, body });
    expect([answer.status, JSON.parse(answer.body).error.message]).toEqual([502, "no answer"]);
  });

  test("a setting is put back, unless it was changed since", async () => {
    const headers = { ...json, ...bearer };
    const undo = (body: object) =>
      call("/api/settings/undo", { method: "POST", headers, body: JSON.stringify(body) });
    expect((await undo({ name: "posts.previews", change: 2 })).status).toBe(200);
    expect(done.splice(0)).toEqual(["undo posts.previews 2"]);
    const late = await undo({ name: "posts.previews", change: 1 });
    expect(late.status).toBe(409);
    for (const body of [{}, { name: "x" }, { change: 2 }, { name: "x", change: "2" }]) {
      expect((await undo(body)).status).toBe(400);
    }
    const byCookie = { ...json, cookie: await cookie() };
    const body = JSON.stringify({ name: "posts.previews", change: 2 });
    const forged = { method: "POST", headers: byCookie, body };
    expect((await call("/api/settings/undo", forged)).status).toBe(403);
    expect(done).toEqual([]);
  });

  test("an unknown path is a 404", async () => {
    expect((await call("/api/other", { headers: bearer })).status).toBe(404);
    expect((await call("//evil.example/", { headers: bearer })).status).toBe(404);
    expect((await call("http://evil.example/", { headers: bearer })).status).toBe(400);
  });
});

describe("the stream", () => {
  test("begins with the whole state and goes on with changes", async () => {
    const stream = call("/api/stream", { headers: bearer, until: "event: change" });
    const timer = setInterval(() => server.push(), 20);
    const { headers, body } = await stream;
    clearInterval(timer);
    expect(headers["content-type"]).toBe("text/event-stream");
    expect(body).toContain('event: whole\ndata: {"fleet":"posts"');
  });

  test("a 33rd page is refused until one closes", async () => {
    const open = Array.from({ length: 32 }, () => {
      const ask = request({
        port: server.port,
        host: "127.0.0.1",
        path: "/api/stream",
        headers: bearer,
      });
      ask.on("error", () => {});
      return new Promise<typeof ask>((resolve) => ask.once("response", () => resolve(ask)).end());
    });
    const pages = await Promise.all(open);
    const answer = await call("/api/stream", { headers: bearer });
    expect([answer.status, JSON.parse(answer.body).error.code]).toEqual([
      503,
      "TENFOLD_CONSOLE_BUSY",
    ]);
    for (const page of pages) page.destroy();
    await expect
      .poll(async () => (await call("/api/stream", { headers: bearer, until: "whole" })).status)
      .toBe(200);
  });
});
