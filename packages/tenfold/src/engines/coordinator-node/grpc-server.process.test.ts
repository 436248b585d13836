import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";

import { systemClock } from "../../runtime/clock.ts";
import { silentLog } from "../../runtime/log.ts";
import { certificateAuthority } from "../../testing/certificates.ts";
import { grpcFrame, grpcStatus } from "../etcd/grpc-frame.ts";
import { createGrpcServer, type ServerTls } from "./grpc-server.ts";
import { type Frame, frameType } from "./http2/frames.ts";
import { encodeHeaders } from "./http2/hpack.ts";
import { callHeaders, type RawClient, rawClient, rawFrame } from "./http2/raw-client.fixture.ts";
import { coordinatorNodeLimits } from "./limits.ts";

const { data, headers } = frameType;
const message = grpcFrame(Buffer.from("hello"));

/** Tells what was served, and how many timers were set. */
async function echoServer(tls?: ServerTls) {
  const served: string[] = [];
  const timers: number[] = [];
  const serve = (request: Uint8Array): Uint8Array => {
    served.push(Buffer.from(request).toString());
    return request;
  };
  const server = await createGrpcServer({
    listen: { host: "127.0.0.1", port: 0 },
    tls,
    services: {
      unary: { "/unary": serve },
      lists: {
        async *"/list"(request) {
          yield serve(request);
        },
      },
      streams: { "/stream": (call) => ({ message: (request) => call.send(serve(request)) }) },
    },
    admit() {},
    limits: coordinatorNodeLimits,
    clock: {
      ...systemClock,
      setTimer(ms, callback, options) {
        timers.push(ms);
        return systemClock.setTimer(ms, callback, options);
      },
    },
    log: silentLog,
  });
  return { server, served, timers };
}

/** Sent as data; the last one with the end of the stream, or the headers when there is none. */
function call(path: string, contents: readonly Uint8Array[]): Buffer {
  const block = encodeHeaders({ ...callHeaders, ":path": path });
  const frames = contents.map((content, at) =>
    rawFrame(data, at === contents.length - 1 ? 1 : 0, 1, content),
  );
  return Buffer.concat([rawFrame(headers, contents.length === 0 ? 5 : 4, 1, block), ...frames]);
}

/** What a call ended with. */
async function statusOf({ frames }: RawClient): Promise<number> {
  const isLast = ({ type, flags, streamId }: Frame): boolean =>
    streamId === 1 && type === headers && (flags & 1) === 1;
  await expect.poll(() => frames.some(isLast)).toBe(true);
  const text = frames.find(isLast)?.payload.toString("latin1");
  return Number(/grpc-status\D(\d+)/.exec(text ?? "")?.[1]);
}

const nothing = Buffer.alloc(0);
const ways: readonly (readonly [string, readonly Uint8Array[], number])[] = [
  ["no request, by its headers", [], grpcStatus.unimplemented],
  ["no request, by empty data", [nothing], grpcStatus.unimplemented],
  ["a part of one", [message.subarray(0, -1)], grpcStatus.internal],
  ["two at once", [Buffer.concat([message, message])], grpcStatus.unimplemented],
  ["two, one after the other", [message, message], grpcStatus.unimplemented],
  ["one and a part of another", [message, message.subarray(0, 3)], grpcStatus.internal],
];

test.each(
  ["/unary", "/list"].flatMap((path) =>
    ways.map(([name, ...way]) => [path, name, ...way] as const),
  ),
)("%s with %s is refused, serves nothing and is over", async (path, _name, contents, status) => {
  const { server, served, timers } = await echoServer();
  const client = await rawClient(server.address.port);
  client.send(call(path, contents));
  expect(await statusOf(client)).toBe(status);
  expect(served).toEqual([]);
  // One for the sockets; a call that is open is waited for by another.
  const before = timers.length;
  await server.close();
  expect(timers).toHaveLength(before + 1);
});

test.each(["/unary", "/list"])("%s is served when the client's end comes late", async (path) => {
  const { server, served } = await echoServer();
  const client = await rawClient(server.address.port);
  client.send(call(path, [message.subarray(0, 2), message.subarray(2), nothing]));
  expect(await statusOf(client)).toBe(grpcStatus.ok);
  expect(served).toEqual(["hello"]);
  await server.close();
});

test("a stream takes as many as come, and none", async () => {
  for (const contents of [[], [nothing], [message, message]]) {
    const { server, served } = await echoServer();
    const client = await rawClient(server.address.port);
    client.send(call("/stream", contents));
    expect(await statusOf(client)).toBe(grpcStatus.ok);
    expect(served).toEqual(contents.length < 2 ? [] : ["hello", "hello"]);
    await server.close();
  }
});

test("requests that never come to their end are refused once they are too much together", async () => {
  const { server } = await echoServer();
  const client = await rawClient(server.address.port);
  const block = encodeHeaders({ ...callHeaders, ":path": "/unary" });
  const large = Buffer.concat([Buffer.from([0, 0, 0x17, 0, 0]), Buffer.alloc(16_379)]);
  // 96 times 1 MiB, where all together may be 64 MiB.
  for (let stream = 1; stream < 2 * 96; stream += 2) {
    const parts = Array.from({ length: 64 }, (_, at) =>
      rawFrame(data, 0, stream, at === 0 ? large : Buffer.alloc(16_384)),
    );
    client.send(Buffer.concat([rawFrame(headers, 4, stream, block), ...parts]));
  }
  const refused = (): number =>
    client.frames.filter(({ type, payload }) => {
      return type === headers && payload.toString("latin1").includes("too many requests");
    }).length;
  await expect.poll(refused).toBeGreaterThanOrEqual(30);
  expect(refused()).toBeLessThanOrEqual(33);
  await server.close();
});

test("a client in the middle of its TLS handshake does not hold up the end", async () => {
  const { server } = await echoServer(certificateAuthority().issue("localhost", ["127.0.0.1"]));
  const socket = connect(server.address.port, "127.0.0.1");
  await once(socket, "connect");
  const closed = once(socket, "close");
  socket.on("error", () => {});
  await server.close();
  await closed;
}, 30_000);
