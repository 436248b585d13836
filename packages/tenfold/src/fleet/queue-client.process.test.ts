import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate as turn } from "node:timers/promises";

import { afterEach, expect, it } from "vitest";

import { createServiceClient, type ServiceClient } from "../discovery/service-client.ts";
import { staticResolver } from "../discovery/static-resolver.ts";
import { saysRetryStop } from "../resilience/call-chain.ts";
import { seededRandom } from "../runtime/random.ts";
import { systemRuntime } from "../runtime/runtime.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";
import { queueClientOptions, queueOver } from "./queue-client.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function listening(listener: RequestListener, port = 0): Promise<Server> {
  const server = createServer(listener);
  await once(server.listen(port, "127.0.0.1"), "listening");
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

function ownerAt(port: number): ServiceClient {
  const client = createServiceClient("queue-posts", {
    resolver: staticResolver({ "queue-posts": [{ address: "127.0.0.1", port }] }),
    ...queueClientOptions,
  });
  cleanups.push(() => client.close());
  return client;
}

const message = (number: number) => ({
  key: "k",
  sort: String(number),
  body: "{}",
  idempotencyKey: String(number),
});
const accepted = JSON.stringify({ status: "accepted", sequence: "1", body: "{}" });

/** What becomes of one enqueue at an owner that drops every request, on a clock of its own. */
async function dropped({ mayRetry }: { readonly mayRetry: boolean }) {
  let requests = 0;
  const attempts: unknown[] = [];
  const server = await listening((request) => {
    requests++;
    attempts.push(request.headers["tenfold-attempt"]);
    request.socket.destroy();
  });
  const client = ownerAt(portOf(server));
  let open = 0;
  const owner: ServiceClient = {
    ...client,
    request(call) {
      open++;
      return client.request(call).finally(() => open--);
    },
  };
  const clock = virtualClock();
  const queue = queueOver(owner, "t", { ...systemRuntime, clock, random: seededRandom("dropped") });
  let error: unknown;
  const incoming = { remainingMs: undefined, attempt: 1, mayRetry };
  const asked = queue.enqueue(message(1), { deadlineMs: 5_000, incoming }).catch((cause) => {
    error = cause;
  });
  while (error === undefined) {
    if (open === 0) await clock.advance(10);
    await turn();
  }
  await asked;
  return { requests, attempts, error, tookMs: clock.now() };
}

it.each([true, false])(
  "asks an owner that drops everything again and again, once each time; mayRetry %s",
  async (mayRetry) => {
    const { requests, attempts, error, tookMs } = await dropped({ mayRetry });
    // An eighth of a second apart.
    expect(requests).toBeLessThanOrEqual(60);
    expect(requests).toBeGreaterThan(5);
    expect(attempts.slice(0, 3)).toEqual([undefined, "2", "3"]);
    expect(tookMs).toBeGreaterThan(4_000);
    expect(error).toMatchObject({ code: "TENFOLD_QUEUEING_UNAVAILABLE", retryable: true });
    expect(saysRetryStop(error)).toBe(true);
  },
);

it("loses none of many that a restart of the owner cuts at once", async () => {
  const many = 200;
  let came = 0;
  const all = Promise.withResolvers<void>();
  const first = await listening(() => {
    came++;
    if (came === many) all.resolve();
  });
  const port = portOf(first);
  const queue = queueOver(ownerAt(port), "t", systemRuntime);
  const asked = Array.from({ length: many }, (_, i) =>
    queue.enqueue(message(i), { deadlineMs: 45_000 }),
  );
  await all.promise;
  first.closeAllConnections();
  await new Promise((resolve) => first.close(resolve));
  await listening((_request, response) => void response.end(accepted), port);
  const results = await Promise.all(asked);
  expect(results.every(({ status }) => status === "accepted")).toBe(true);
});
