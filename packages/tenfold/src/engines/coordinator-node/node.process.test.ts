import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import type { Coordinator } from "../../coordination/coordinator.ts";
import { connectEtcd } from "../etcd/client.ts";
import { methods } from "../etcd/messages.ts";
import { type CoordinatorNode, createCoordinatorNode } from "./node.ts";

const token = "secret";
const limits = { keysMax: 5, leasesMax: 2, valueBytesMax: 1_000 };

let dataFolder: string;
let node: CoordinatorNode;
const clients: Coordinator[] = [];

beforeEach(async () => {
  dataFolder = await mkdtemp(join(tmpdir(), "tenfold-node-"));
  const listen = { host: "127.0.0.1", port: 0 };
  node = await createCoordinatorNode({ listen, dataFolder, token, limits });
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await node.close();
  await rm(dataFolder, { recursive: true, force: true });
});

function client(credentials: object = { token }): Coordinator {
  const endpoints = `http://127.0.0.1:${node.address.port}`;
  const made = connectEtcd({ endpoints, ...credentials });
  clients.push(made);
  return made;
}

const put = (of: Coordinator, key: string, value = "1") =>
  of.transact({ change: [{ put: key, value }] });
const refused = (text: string) =>
  expect.objectContaining({
    code: "TENFOLD_COORDINATION_REFUSED",
    message: expect.stringContaining(text),
  });

test("only holders of the token, or of the password for it", async () => {
  await expect(client({}).get("a")).rejects.toEqual(refused("invalid auth token"));
  await expect(client({ token: "x" }).get("a")).rejects.toEqual(refused("invalid auth token"));
  const wrong = client({ user: "any", password: "x" });
  await expect(wrong.get("a")).rejects.toEqual(refused("authentication failed"));
  await put(client({ user: "any", password: token }), "a");
  expect((await client().get("a"))?.value).toBe("1");
});

test("every limit refuses with its reason, and the node goes on", async () => {
  const one = client();
  await expect(put(one, "a", "x".repeat(1_001))).rejects.toEqual(refused("too large"));
  const many = Array.from({ length: 6 }, (_, i) => ({ put: `a${i}`, value: "1" }));
  await expect(one.transact({ change: many })).rejects.toEqual(refused("exceeded"));
  expect((await one.list("a")).entries).toEqual([]);
  for (let i = 0; i < 2; i++) await one.openSession({ ttlMs: 5_000 });
  await expect(one.openSession({ ttlMs: 5_000 })).rejects.toEqual(refused("too many requests"));
  await put(one, "a");
});

test("a second node on the port or the folder is told why not", async () => {
  const other = join(dataFolder, "other");
  const taken = createCoordinatorNode({ listen: node.address, dataFolder: other, token });
  await expect(taken).rejects.toMatchObject({ code: "TENFOLD_COORDINATOR_NODE_PORT_TAKEN" });
  // Twice: a refused start must leave its folder free.
  const again = createCoordinatorNode({ listen: node.address, dataFolder: other, token });
  await expect(again).rejects.toMatchObject({ code: "TENFOLD_COORDINATOR_NODE_PORT_TAKEN" });
  const listen = { host: "127.0.0.1", port: 0 };
  await expect(createCoordinatorNode({ listen, dataFolder, token })).rejects.toMatchObject({
    code: "TENFOLD_COORDINATOR_NODE_FOLDER_IN_USE",
  });
});

test("strangers, garbage and broken messages harm nobody", async () => {
  const one = client();
  await put(one, "a");
  for (const words of ["GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "\0\xff".repeat(5_000)]) {
    const socket = connectTcp(node.address.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.on("data", () => {});
    socket.write(words);
    await once(socket, "close");
  }
  const session = connectHttp2(`http://127.0.0.1:${node.address.port}`);
  const ask = async (headers: object, body: Buffer): Promise<unknown> => {
    const stream = session.request({ ":method": "POST", ":path": methods.put, ...headers });
    stream.on("error", () => {});
    stream.end(body);
    const [answer] = await once(stream, "response");
    stream.resume();
    return answer["grpc-status"];
  };
  const grpc = { "content-type": "application/grpc", token };
  const frame = Buffer.from([0, 0, 0, 0, 2, 0x0a, 0x50]);
  expect(await ask(grpc, frame)).toBe("3");
  expect(await ask(grpc, Buffer.from([1, 0, 0, 0, 0]))).toBe("12");
  expect(await ask({ ...grpc, ":path": "/nowhere" }, frame)).toBe("12");
  expect(await ask({ ...grpc, origin: "http://evil.example" }, frame)).toBe("7");
  session.destroy();
  expect((await one.get("a"))?.value).toBe("1");
});
