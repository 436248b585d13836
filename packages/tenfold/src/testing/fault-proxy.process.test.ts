import { once } from "node:events";
import type { Duplex } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";

import { type Listener, systemNetwork } from "../runtime/network.ts";
import { createFaultProxy, type FaultProxy } from "./fault-proxy.ts";

let echo: Listener;
let proxy: FaultProxy;
/** What reached the target. */
let heard = "";

beforeEach(async () => {
  heard = "";
  echo = await systemNetwork.listen({ host: "127.0.0.1", port: 0 }, (connection) => {
    connection.on("error", () => {});
    connection.on("data", (chunk: Buffer) => {
      heard += chunk;
      connection.write(chunk);
      if (chunk.includes("!")) connection.end();
    });
  });
  proxy = await createFaultProxy({ target: echo.address });
});

afterEach(async () => {
  await proxy.close();
  await echo.close();
});

interface Client {
  readonly socket: Duplex;
  received: string;
  closed: boolean;
}

async function connect(): Promise<Client> {
  const socket = await systemNetwork.connect(proxy.address);
  const client: Client = { socket, received: "", closed: false };
  socket.on("error", () => {});
  socket.on("data", (chunk: Buffer) => {
    client.received += chunk;
  });
  socket.once("close", () => {
    client.closed = true;
  });
  return client;
}

test("passes bytes both ways, and an orderly end behind them", async () => {
  proxy.set({ delayMs: 20 });
  const client = await connect();
  client.socket.write("hello!");
  await once(client.socket, "close");
  expect(client.received).toBe("hello!");
  expect(proxy.bytesToClients).toBe(6);
  await expect.poll(() => proxy.connections).toBe(0);
});

test("delay holds every byte back, bandwidth spreads them", async () => {
  proxy.set({ delayMs: 60, jitterMs: 10 });
  const client = await connect();
  const startedAt = performance.now();
  client.socket.write("x");
  await expect.poll(() => client.received).toBe("x");
  // Both directions; a bound from below only, so a slow machine cannot fail it.
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(118);
  proxy.set({ delayMs: 0, jitterMs: 0, bytesPerSecondMax: 100_000 });
  const slowAt = performance.now();
  client.socket.write("y".repeat(10_000));
  await expect.poll(() => client.received).toHaveLength(10_001);
  expect(performance.now() - slowAt).toBeGreaterThanOrEqual(95);
});

test("cut resets what is open and what comes, until it passes again", async () => {
  const client = await connect();
  client.socket.write("a");
  await expect.poll(() => client.received).toBe("a");
  proxy.state = "cut";
  await expect.poll(() => client.closed).toBe(true);
  const refused = await connect().catch(() => undefined);
  if (refused) await expect.poll(() => refused.closed).toBe(true);
  proxy.state = "pass";
  const again = await connect();
  again.socket.write("b");
  await expect.poll(() => again.received).toBe("b");
});

test("silent swallows without a word, for old and new connections, then delivers", async () => {
  const before = await connect();
  before.socket.write("a");
  await expect.poll(() => before.received).toBe("a");
  proxy.state = "silent";
  const during = await connect();
  before.socket.write("b");
  during.socket.write("c");
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect([before.received, during.received]).toEqual(["a", ""]);
  expect([before.closed, during.closed]).toEqual([false, false]);
  proxy.state = "pass";
  await expect.poll(() => [before.received, during.received]).toEqual(["ab", "c"]);
});

test("mute and deaf keep one direction alone from passing, then deliver", async () => {
  const client = await connect();
  client.socket.write("a");
  await expect.poll(() => client.received).toBe("a");
  proxy.state = "deaf";
  client.socket.write("b");
  // The echo comes back as far as the proxy: the target has heard it.
  await expect.poll(() => heard).toBe("ab");
  expect(client.received).toBe("a");
  proxy.state = "mute";
  await expect.poll(() => client.received).toBe("ab");
  client.socket.write("c");
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(heard).toBe("ab");
  proxy.state = "pass";
  await expect.poll(() => client.received).toBe("abc");
});

test("cutAfterBytes lets exactly so many reach the target, too", async () => {
  const client = await connect();
  proxy.cutAfterBytes(2, "toTarget");
  client.socket.write("abcd");
  await expect.poll(() => client.closed).toBe(true);
  expect(heard).toBe("ab");
});

test("cutAfterBytes lets exactly so many through", async () => {
  const client = await connect();
  client.socket.write("a");
  await expect.poll(() => client.received).toBe("a");
  proxy.cutAfterBytes(3);
  client.socket.write("bcdefg");
  await expect.poll(() => client.closed).toBe(true);
  expect(client.received).toBe("abcd");
  expect(proxy.cuts).toBe(1);
  const again = await connect();
  again.socket.write("hello");
  await expect.poll(() => again.received).toBe("hello");
});
