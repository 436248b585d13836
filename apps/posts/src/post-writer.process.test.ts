import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

import { createServiceClient, type ServiceClient, staticResolver } from "tenfold/discovery";
import { createMemoryQueue } from "tenfold/engines/memory";
import type { Queue, QueueCallOptions } from "tenfold/queueing";
import { silentLog, systemRuntime } from "tenfold/runtime";
import { createRegistry } from "tenfold/telemetry";
import { afterEach, expect, test } from "vitest";

import { createPostReader } from "./post-reader.ts";
import { createPostWriter } from "./post-writer.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A service of three instances, and how often they were asked. */
async function service(name: string, listener: RequestListener) {
  const asked = { count: 0 };
  const list: { readonly address: string; readonly port: number }[] = [];
  for (let i = 0; i < 3; i++) {
    const server = createServer((request, response) => {
      asked.count++;
      listener(request, response);
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    cleanups.push(() => {
      server.closeAllConnections();
      server.close();
    });
    list.push({ address: "127.0.0.1", port: (server.address() as AddressInfo).port });
  }
  const policy = { deadlineMs: 45_000 };
  const client: ServiceClient = createServiceClient(name, {
    resolver: staticResolver({ [name]: list }),
    policy,
  });
  cleanups.push(() => client.close());
  return { client, asked };
}

async function writer() {
  const runtime = { ...systemRuntime, log: silentLog };
  let id = 0;
  const guid = await service("guid", (_request, response) => {
    response.end(JSON.stringify({ guid: String(++id) }));
  });
  const scrap = await service("scrap", (_request, response) => {
    response.writeHead(503).end('{"error":{"code":"TENFOLD_FLEET_BUSY","message":"busy"}}');
  });
  const told: (QueueCallOptions | undefined)[] = [];
  const memory = createMemoryQueue({ runtime });
  const queue: Queue = {
    ...memory,
    enqueue(message, options) {
      told.push(options);
      return memory.enqueue(message, options);
    },
    pending(request, options) {
      told.push(options);
      return memory.pending(request, options);
    },
  };
  const current = { "posts.previews": true, "posts.previewDeadlineMs": 40_000 };
  const made = createPostWriter({
    ...{ queue, guid: guid.client, scrap: scrap.client, runtime, metrics: createRegistry() },
    settings: { current } as never,
  });
  return { made, scrap: scrap.asked, told, queue, runtime };
}

const request = (number: number, mayRetry: boolean) => ({
  userId: 1n,
  input: { contents: "hello", url: "http://example.org/" },
  idempotencyKey: String(number),
  signal: new AbortController().signal,
  remainingMs: () => 40_000,
  incoming: { remainingMs: 40_000, attempt: 1, mayRetry },
});

test("a write that must not be repeated is not repeated below, and any other is", async () => {
  const { made, scrap, told } = await writer();
  const stopped = request(1, false);
  const { post } = await made.write(stopped);
  expect(post.preview).toBeUndefined();
  expect(scrap.count).toBe(1);
  expect(told.map((options) => options?.incoming)).toEqual([stopped.incoming]);
  await made.write(request(2, true));
  expect(scrap.count).toBe(4);
});

test("a read hands its request on to the queue", async () => {
  const { queue, told, runtime } = await writer();
  const store = { listByUser: async () => [], byId: async () => undefined };
  const reader = createPostReader({ queue, store: store as never, clock: runtime.clock });
  const { incoming } = request(1, false);
  await reader.list(1n, { limit: 1 }, { incoming });
  await reader.one(1n, 2n, { incoming });
  expect(told.map((options) => options?.incoming)).toEqual([incoming, incoming]);
});
