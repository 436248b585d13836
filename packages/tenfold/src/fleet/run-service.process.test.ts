import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";

import { freePortRange } from "../engines/postgres/free-port-range.ts";

const fixture = fileURLToPath(new URL("./run-service.fixture.ts", import.meta.url));
const args = ["--conditions=tenfold:source", fixture];
const token = "the-token-of-this-test";

interface Example {
  readonly child: ChildProcess;
  readonly port: number;
  readonly adminPort: number;
  /** Its log, one object a line. */
  readonly lines: Record<string, unknown>[];
  readonly exited: Promise<[code: number | null, signal: string | null]>;
}

const children: ChildProcess[] = [];
const folders: string[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function environment(extra: Record<string, string> = {}): Record<string, string> {
  const data = mkdtempSync(join(tmpdir(), "tenfold-service-"));
  folders.push(data);
  return {
    PATH: process.env.PATH ?? "",
    TENFOLD_DATA: data,
    EXAMPLE_TOKEN: token,
    TENFOLD_TOKEN: "env:EXAMPLE_TOKEN",
    EXAMPLE_COORDINATOR: "memory",
    ...extra,
  };
}

/** Starts the example and waits for a line of its log. */
async function start(env = environment(), until = "ready"): Promise<Example> {
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const exited = once(child, "exit") as Example["exited"];
  const lines: Record<string, unknown>[] = [];
  const log = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const told = Promise.withResolvers<Record<string, unknown>>();
  log.on("line", (line) => {
    const parsed = JSON.parse(line) as Record<string, unknown>;
    lines.push(parsed);
    if (parsed.message === until) told.resolve(parsed);
  });
  log.on("close", () =>
    told.reject(new Error(`ended before "${until}": ${JSON.stringify(lines)}`)),
  );
  const { port, adminPort } = (await told.promise) as { port: number; adminPort: number };
  return { child, port, adminPort, lines, exited };
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

async function ask(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const sent = httpRequest({ host: "127.0.0.1", port, method, path, headers, agent: false });
  sent.end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const { statusCode = 0, headers: received } = response;
  return { status: statusCode, headers: received, body: await text(response) };
}

async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  await expect.poll(holds).toBe(true);
}

async function underWay(adminPort: number, requests: number): Promise<void> {
  const headers = { authorization: `Bearer ${token}` };
  const line = `\ntenfold_http_requests_in_flight ${requests}\n`;
  await eventually(async () =>
    (await ask(adminPort, "GET", "/metrics", headers)).body.includes(line),
  );
}

function errorCode({ body }: Answer): unknown {
  return (JSON.parse(body) as { error: { code: unknown } }).error.code;
}

describe("admin port", () => {
  it("tells strangers little, pages of other origins nothing, and metrics to the token", async () => {
    const { adminPort, port } = await start();
    const bearer = { authorization: `Bearer ${token}` };
    const cases: [string, Record<string, string>, number, string?][] = [
      ["/healthz", {}, 200],
      ["/readyz", {}, 200],
      ["/metrics", bearer, 200],
      ["/metrics", {}, 401, "TENFOLD_FLEET_TOKEN_REFUSED"],
      ["/metrics", { authorization: "Bearer wrong" }, 401, "TENFOLD_FLEET_TOKEN_REFUSED"],
      ["/metrics", { ...bearer, host: "evil.example" }, 403, "TENFOLD_FLEET_HOST_REFUSED"],
      ["/healthz", { host: `evil.example:${adminPort}` }, 403, "TENFOLD_FLEET_HOST_REFUSED"],
      ["/readyz", { origin: "http://evil.example" }, 403, "TENFOLD_FLEET_ORIGIN_REFUSED"],
      ["/metrics", { ...bearer, origin: `http://127.0.0.1:${port}` }, 403],
      ["/nowhere", bearer, 404, "TENFOLD_FLEET_ROUTE_UNKNOWN"],
    ];
    for (const [path, headers, status, code] of cases) {
      const answer = await ask(adminPort, "GET", path, headers);
      expect([path, headers, answer.status]).toEqual([path, headers, status]);
      if (code !== undefined) expect(errorCode(answer)).toBe(code);
    }
    const posted = await ask(adminPort, "POST", "/metrics", bearer);
    expect([posted.status, posted.headers.allow]).toEqual([405, "GET, HEAD"]);
  });

  it("shows requests and the process in its metrics", async () => {
    const { adminPort, port } = await start();
    await ask(port, "GET", "/slow/1");
    const { body } = await ask(adminPort, "GET", "/metrics", { authorization: `Bearer ${token}` });
    for (const line of [
      'tenfold_http_requests_total{route="GET /slow/:ms",method="GET",status="200"} 1',
      'tenfold_http_request_duration_seconds_count{route="GET /slow/:ms"} 1',
      'tenfold_http_request_duration_seconds_max{route="GET /slow/:ms"} 0.',
      'nodejs_eventloop_delay_seconds{quantile="0.99"} ',
      "process_resident_memory_bytes ",
    ]) {
      expect(body).toContain(`\n${line}`);
    }
  });

  it("is alive but not ready while the service is not", async () => {
    const admin = await freePortRange("127.0.0.1", 1);
    const env = environment({ EXAMPLE_UNREADY_MS: "60000", TENFOLD_ADMIN_PORT: `${admin}` });
    const { lines, child, exited } = await start(env, "not ready yet");
    expect(lines.at(-1)).toMatchObject({ reason: "the example is not ready" });
    expect((await ask(admin, "GET", "/healthz")).status).toBe(200);
    const ready = await ask(admin, "GET", "/readyz");
    expect([ready.status, JSON.parse(ready.body)]).toEqual([
      503,
      { status: "not ready", reason: "starting" },
    ]);
    child.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
  });
});

describe("a service alone", () => {
  it("starts without any variable, makes a token, and writes it to no log", async () => {
    const { TENFOLD_DATA: data = "", PATH = "" } = environment();
    const example = await start({ PATH, TENFOLD_DATA: data, EXAMPLE_COORDINATOR: "memory" });
    const made = readFileSync(join(data, "token"), "utf8");
    const authorization = `Bearer ${made}`;
    expect((await ask(example.adminPort, "GET", "/metrics", { authorization })).status).toBe(200);
    expect(example.lines.at(-1)).toMatchObject({ instance: `example-${example.child.pid}` });
    expect(JSON.stringify(example.lines)).not.toContain(made);
  });

  it("serves while no coordinator is there, and says so once", async () => {
    const env = environment({ EXAMPLE_COORDINATOR: "", TENFOLD_COORDINATOR: "etcd://127.0.0.1:9" });
    const { port, adminPort, lines, child, exited } = await start(env);
    expect((await ask(port, "GET", "/slow/0")).status).toBe(200);
    expect((await ask(adminPort, "GET", "/readyz")).status).toBe(200);
    const session = await ask(port, "GET", "/session");
    expect([session.status, errorCode(session)]).toEqual([503, "TENFOLD_COORDINATION_UNAVAILABLE"]);
    const waiting = (): number =>
      lines.filter(({ message }) => String(message).includes("waiting for the coordinator")).length;
    await eventually(() => waiting() > 0);
    expect((await ask(adminPort, "GET", "/readyz")).status).toBe(200);
    expect(waiting()).toBe(1);
    child.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
  });

  it("reads stores by reference, as a whole or in part", async () => {
    const env = environment({ SECRET: "hunter2" });
    const file = join(env.TENFOLD_DATA as string, "store.json");
    writeFileSync(file, '{"primary":"postgres://app:hunter2@h/d"}\n');
    env.TENFOLD_STORES = JSON.stringify({
      whole: `file:${file}`,
      part: [{ user: "app", password: "env:SECRET" }],
      broken: "env:SECRET",
    });
    const { port, lines } = await start(env);
    const read = async (name: string): Promise<string> =>
      (await ask(port, "GET", `/store/${name}`)).body;
    expect(JSON.parse(await read("whole"))).toEqual({ primary: "postgres://app:hunter2@h/d" });
    expect(JSON.parse(await read("part"))).toEqual([{ user: "app", password: "hunter2" }]);
    for (const name of ["broken", "unknown"]) {
      expect(await read(name)).toContain("TENFOLD_INTERNAL");
    }
    // The answer may be here before the line that the process wrote about it.
    await eventually(() => JSON.stringify(lines).includes("TENFOLD_FLEET_STORE_UNKNOWN"));
    expect(JSON.stringify(lines)).not.toContain("hunter2");
  });

  it("names the variable that it cannot use, and exits with 1", async () => {
    const env = environment({ TENFOLD_PORT: "eighty" });
    const child = spawn(process.execPath, args, { env, stdio: ["ignore", "ignore", "pipe"] });
    children.push(child);
    const [said, [code]] = await Promise.all([
      text(child.stderr as NodeJS.ReadableStream),
      once(child, "exit"),
    ]);
    expect([code, said]).toEqual([1, expect.stringContaining("TENFOLD_PORT: expected a port")]);
  });
});

describe("the end", () => {
  it("loses no request that is under way", async () => {
    const { child, port, adminPort, exited, lines } = await start();
    const held = Array.from({ length: 40 }, () => ask(port, "GET", "/held/500"));
    await underWay(adminPort, 40);
    child.kill("SIGTERM");
    const statuses = (await Promise.all(held)).map(({ status }) => status);
    expect(statuses).toEqual(Array(40).fill(200));
    expect(await exited).toEqual([0, null]);
    expect(lines.map(({ message }) => message)).toContain("left");
  });

  it("comes at once with a second SIGTERM", async () => {
    const { child, port, adminPort, exited, lines } = await start();
    ask(port, "GET", "/held/60000").catch(() => {});
    await underWay(adminPort, 1);
    child.kill("SIGTERM");
    await eventually(() => lines.some(({ message }) => message === "stopping"));
    child.kill("SIGTERM");
    expect(await exited).toEqual([1, null]);
  });

  it("comes when the supervisor dies", async () => {
    const env = environment();
    const script = `
      const child = require("node:child_process").spawn(process.execPath, ${JSON.stringify(args)},
        { stdio: ["ignore", "pipe", "inherit", "ipc"] });
      child.stdout.on("data", (line) => {
        if (String(line).includes('"message":"ready"')) console.log(child.pid);
      });`;
    const parent = spawn(process.execPath, ["-e", script], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(parent);
    const [pid] = await once(parent.stdout as NodeJS.ReadableStream, "data");
    parent.kill("SIGKILL");
    await eventually(() => !isAlive(Number(pid)));
  });

  it("comes with a log line when an error is not caught", async () => {
    const { port, exited, lines } = await start();
    await ask(port, "GET", "/crash").catch(() => {});
    expect(await exited).toEqual([1, null]);
    expect(lines.at(-1)).toMatchObject({
      level: "error",
      error: { message: "nobody caught this" },
    });
  });
});

/** A zombie that nobody has waited for yet counts as gone. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
