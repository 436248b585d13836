import { Agent, type IncomingMessage, request } from "node:http";

import { afterEach, expect, it } from "vitest";

import { createKeptSession } from "../coordination/kept-session.ts";
import { coordinatorResolver } from "../discovery/coordinator-resolver.ts";
import { createRegistrar, type Registrar } from "../discovery/registrar.ts";
import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { type ChildServer, startChildServer } from "../testing/child-server.ts";
import { type Stand, stand } from "../testing/gateway-stand.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Keeps `lanes` requests under way until told to stop; whatever is no 200 is a failure. */
function load(one: Stand, lanes: number) {
  const agent = new Agent({ keepAlive: true });
  const failures: unknown[] = [];
  const answeredBy = new Map<string, number>();
  let isOn = true;
  let sent = 0;
  const ask = (method: string, key: string): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const headers = method === "POST" ? { "idempotency-key": key } : {};
      const target = one.url("/posts?ms=3");
      const outgoing = request(target, { agent, method, headers }, (response: IncomingMessage) => {
        let body = "";
        response.on("data", (chunk) => {
          body += String(chunk);
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
        response.on("error", reject);
      });
      outgoing.on("error", reject);
      outgoing.end(method === "POST" ? "x".repeat(100) : undefined);
    });
  const lane = async (): Promise<void> => {
    while (isOn) {
      const key = `k${sent++}`;
      try {
        const { status, body } = await ask(sent % 3 === 0 ? "POST" : "GET", key);
        if (status !== 200) failures.push([status, body]);
        const { name } = JSON.parse(body) as { name: string };
        answeredBy.set(name, (answeredBy.get(name) ?? 0) + 1);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  const running = Promise.all(Array.from({ length: lanes }, lane));
  return {
    failures,
    answeredBy,
    count: () => [...answeredBy.values()].reduce((a, b) => a + b, 0),
    async stop() {
      isOn = false;
      await running;
      agent.destroy();
    },
  };
}

/** Waits until so many more answers came. */
async function more(traffic: ReturnType<typeof load>, answers: number): Promise<void> {
  const goal = traffic.count() + answers;
  await expect.poll(traffic.count).toBeGreaterThan(goal);
}

it("loses nothing while instances are killed, hang and start again on their port", async () => {
  const one = await stand(3, { limits: { deadlineMs: 60_000, tryTimeoutMs: 2_000 } });
  cleanups.push(() => one.close());
  const traffic = load(one, 12);
  await more(traffic, 300);
  const started: ChildServer[] = [];
  cleanups.push(async () => void (await Promise.all(started.map((server) => server.stop()))));
  for (const [i, backend] of one.backends.entries()) {
    await backend.stop();
    await more(traffic, 150);
    started.push(await startChildServer({ port: backend.port, name: `new${i}` }));
    const name = `new${i}`;
    await expect.poll(() => traffic.answeredBy.get(name) ?? 0).toBeGreaterThan(5);
  }
  started[0]?.kill("SIGSTOP");
  await more(traffic, 300);
  started[0]?.kill("SIGCONT");
  const before = traffic.answeredBy.get("new0") ?? 0;
  await expect.poll(() => traffic.answeredBy.get("new0") ?? 0).toBeGreaterThan(before + 20);
  await traffic.stop();
  expect(traffic.failures).toEqual([]);
  expect(one.total("tenfold_gateway_failed_total")).toBe(0);
  expect(one.total("tenfold_discovery_retries_total")).toBeGreaterThan(0);
});

it("loses nothing in a rolling restart, and asks no instance that has left", async () => {
  const coordinator = createMemoryCoordinator();
  const session = createKeptSession(coordinator);
  const resolver = coordinatorResolver(coordinator, { fleet: "f" });
  const instances = new Map<string, { server: ChildServer; registrar: Registrar }>();
  const start = async (id: string, name: string, port = 0): Promise<void> => {
    const server = await startChildServer({ name, port });
    const registrar = createRegistrar({
      coordinator,
      session,
      fleet: "f",
      member: {
        id,
        service: "posts",
        host: "a",
        zone: "z",
        address: "127.0.0.1",
        port: server.port,
        adminPort: 1,
        protocol: "http",
        version: name,
        weight: 1,
        pid: server.pid,
        startedAtMs: Date.now(),
      },
    });
    await registrar.registered;
    instances.set(id, { server, registrar });
  };
  for (const id of ["posts-1", "posts-2", "posts-3"]) await start(id, `old-${id}`);
  const one = await stand(0, { resolver, limits: { deadlineMs: 60_000 } });
  cleanups.push(async () => {
    await one.close();
    resolver.close();
    await session.close();
    for (const { server } of instances.values()) await server.stop();
  });
  const traffic = load(one, 12);
  await more(traffic, 200);
  for (const [id, { server, registrar }] of [...instances]) {
    await registrar.deregister();
    server.kill("SIGTERM");
    await server.gone;
    await start(id, `new-${id}`, server.port);
    await more(traffic, 100);
  }
  await expect
    .poll(() => [...traffic.answeredBy.keys()].filter((name) => name.startsWith("new-")).length)
    .toBe(3);
  await traffic.stop();
  expect(traffic.failures).toEqual([]);
  expect(one.total("tenfold_gateway_failed_total")).toBe(0);
});

it("fails requests when nothing is tried again (the canary)", async () => {
  const one = await stand(2, { limits: { attemptsMax: 1 } });
  cleanups.push(() => one.close());
  const traffic = load(one, 12);
  await more(traffic, 100);
  await one.backends[0]?.stop();
  await expect.poll(() => traffic.failures.length).toBeGreaterThan(0);
  await traffic.stop();
});
