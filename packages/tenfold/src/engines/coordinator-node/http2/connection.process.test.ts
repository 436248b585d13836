import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { afterEach, beforeEach, expect, test } from "vitest";

import { systemClock } from "../../../runtime/clock.ts";
import { silentLog } from "../../../runtime/log.ts";
import { seededRandom } from "../../../runtime/random.ts";
import { createGrpcServer, type GrpcServer } from "../grpc-server.ts";
import { coordinatorNodeLimits } from "../limits.ts";
import { errorCode, type Frame, frameType } from "./frames.ts";
import { encodeHeaders } from "./hpack.ts";
import {
  callHeaders,
  greetings,
  number32,
  type RawClient,
  rawCall,
  rawClient,
  rawFrame,
} from "./raw-client.fixture.ts";

const { data, headers, reset, settings, ping, goAway, windowUpdate, continuation } = frameType;
const block = encodeHeaders(callHeaders);
const streamsMax = 20;

let server: GrpcServer;
let seen: Record<string, string | undefined>[] = [];
const errors: unknown[] = [];

beforeEach(async () => {
  seen = [];
  server = await createGrpcServer({
    listen: { host: "127.0.0.1", port: 0 },
    tls: undefined,
    services: {
      unary: {
        "/echo": (request) => request,
        "/large": () => Buffer.alloc(3_000_000, "x"),
        "/never": () => new Promise(() => {}),
      },
      lists: {},
      streams: { "/open": (call) => ({ message: (request) => call.send(request) }) },
    },
    admit: (given) => void seen.push(given),
    limits: { ...coordinatorNodeLimits, streamsPerConnectionMax: streamsMax },
    clock: systemClock,
    log: { ...silentLog, error: (...error: unknown[]) => void errors.push(error) },
  });
});

afterEach(async () => {
  await server.close();
  expect(errors.splice(0)).toEqual([]);
});

const until = (check: () => unknown): Promise<void> =>
  expect.poll(check, { timeout: 30_000, interval: 5 }).toBeTruthy();

const came = ({ frames }: RawClient, type: number, streamId?: number): Frame | undefined =>
  frames.find((one) => one.type === type && (streamId ?? one.streamId) === one.streamId);

/** Of the whole connection, and then it is closed. */
async function goneWith(client: RawClient): Promise<number | undefined> {
  await until(() => client.isClosed);
  return came(client, goAway)?.payload.readUInt32BE(4);
}

async function answered(client: RawClient, streamId: number): Promise<void> {
  client.send(rawCall(streamId, Buffer.from("hello")));
  await until(() => client.frames.some((one) => one.streamId === streamId && isLast(one)));
  expect(came(client, data, streamId)?.payload.subarray(5).toString()).toBe("hello");
}

const isLast = ({ type, flags }: Frame): boolean => type <= headers && (flags & 1) === 1;

async function serves(): Promise<void> {
  const client = await rawClient(server.address.port);
  await answered(client, 1);
  client.socket.destroy();
}

test.each<[string, number, Uint8Array[]]>([
  ["data of no stream", errorCode.protocol, [rawFrame(data, 0, 1)]],
  ["data of the connection", errorCode.protocol, [rawFrame(data, 0, 0)]],
  ["headers of the connection", errorCode.protocol, [rawFrame(headers, 4, 0, block)]],
  ["a stream with an even number", errorCode.protocol, [rawFrame(headers, 4, 2, block)]],
  [
    "interrupted headers",
    errorCode.protocol,
    [rawFrame(headers, 0, 1, block), rawFrame(ping, 0, 0, Buffer.alloc(8))],
  ],
  ["a continuation of nothing", errorCode.protocol, [rawFrame(continuation, 4, 1, block)]],
  [
    "a continuation of another",
    errorCode.protocol,
    [rawFrame(headers, 0, 1, block), rawFrame(continuation, 4, 3, block)],
  ],
  [
    "endless headers",
    errorCode.enhanceYourCalm,
    [
      rawFrame(headers, 0, 1, block),
      ...Array.from({ length: 300 }, () => rawFrame(continuation, 0, 1)),
    ],
  ],
  [
    "padding over the frame",
    errorCode.protocol,
    [rawFrame(headers, 4 | 8, 1, Buffer.concat([Uint8Array.of(255), block]))],
  ],
  ["unreadable headers", errorCode.compression, [rawFrame(headers, 4, 1, Uint8Array.of(0x80))]],
  ["settings of a stream", errorCode.protocol, [rawFrame(settings, 0, 1)]],
  ["settings of five bytes", errorCode.frameSize, [rawFrame(settings, 0, 0, Buffer.alloc(5))]],
  [
    "an acknowledgement with content",
    errorCode.frameSize,
    [rawFrame(settings, 1, 0, Buffer.alloc(6))],
  ],
  [
    "a window over its limit",
    errorCode.flowControl,
    [rawFrame(settings, 0, 0, Buffer.from("0004ffffffff", "hex"))],
  ],
  [
    "a frame size out of range",
    errorCode.protocol,
    [rawFrame(settings, 0, 0, Buffer.from("000500000001", "hex"))],
  ],
  [
    "push neither on nor off",
    errorCode.protocol,
    [rawFrame(settings, 0, 0, Buffer.from("000200000002", "hex"))],
  ],
  ["a short ping", errorCode.frameSize, [rawFrame(ping, 0, 0, Buffer.alloc(7))]],
  ["a ping of a stream", errorCode.protocol, [rawFrame(ping, 0, 1, Buffer.alloc(8))]],
  [
    "a window that grows by nothing",
    errorCode.protocol,
    [rawFrame(windowUpdate, 0, 0, number32(0))],
  ],
  [
    "a window that grows too far",
    errorCode.flowControl,
    [rawFrame(windowUpdate, 0, 0, number32(0x7fffffff))],
  ],
  ["a window of no stream", errorCode.protocol, [rawFrame(windowUpdate, 0, 1, number32(1))]],
  ["a reset of no stream", errorCode.protocol, [rawFrame(reset, 0, 1, number32(8))]],
  [
    "a push of the client",
    errorCode.protocol,
    [rawFrame(frameType.pushPromise, 4, 1, number32(2))],
  ],
  ["a frame too large", errorCode.frameSize, [Buffer.from("004001000000000000", "hex")]],
])("%s ends the connection", async (_, code, frames) => {
  const client = await rawClient(server.address.port);
  client.send(...frames);
  expect(await goneWith(client)).toBe(code);
  await serves();
});

test.each<[string, number, Uint8Array[]]>([
  ["no method", errorCode.protocol, [rawFrame(headers, 5, 1, encodeHeaders({ ":path": "/echo" }))]],
  [
    "malformed headers",
    errorCode.protocol,
    [rawFrame(headers, 5, 1, encodeHeaders({ ...callHeaders, Te: "x" }))],
  ],
  [
    "data after its end",
    errorCode.streamClosed,
    [rawCall(1, Buffer.from("x"), { ...callHeaders, ":path": "/never" }), rawFrame(data, 0, 1)],
  ],
  [
    "headers after its end",
    errorCode.streamClosed,
    [
      rawCall(1, Buffer.from("x"), { ...callHeaders, ":path": "/never" }),
      rawFrame(headers, 5, 1, block),
    ],
  ],
  [
    "more than one block that is not the last",
    errorCode.streamClosed,
    [rawFrame(headers, 4, 1, block), rawFrame(headers, 4, 1, block)],
  ],
  [
    "a window that grows by nothing",
    errorCode.protocol,
    [rawFrame(headers, 4, 1, block), rawFrame(windowUpdate, 0, 1, number32(0))],
  ],
  [
    "a window that grows too far",
    errorCode.flowControl,
    [rawFrame(headers, 4, 1, block), rawFrame(windowUpdate, 0, 1, number32(0x7fffffff))],
  ],
])("%s ends the stream alone", async (_, code, frames) => {
  const client = await rawClient(server.address.port);
  client.send(...frames);
  await until(() => came(client, reset, 1));
  expect(came(client, reset, 1)?.payload.readUInt32BE()).toBe(code);
  await answered(client, 3);
  client.socket.destroy();
});

test("what may come late, unknown or in pieces harms nothing", async () => {
  const client = await rawClient(server.address.port, Buffer.alloc(0));
  const all = Buffer.concat([
    greetings,
    rawFrame(0xee, 0xff, 77, Buffer.from("?")),
    rawFrame(frameType.priority, 0, 5, Buffer.alloc(5)),
  ]);
  for (const byte of all) client.send(Uint8Array.of(byte));
  client.send(
    rawFrame(
      headers,
      8 | 32,
      1,
      Buffer.concat([
        Uint8Array.of(2),
        number32(0),
        Uint8Array.of(9),
        block.subarray(0, 9),
        Buffer.alloc(2),
      ]),
    ),
    rawFrame(continuation, 0, 1, block.subarray(9, 20)),
    rawFrame(continuation, 4, 1, block.subarray(20)),
    rawFrame(
      data,
      8,
      1,
      Buffer.concat([Uint8Array.of(4), Buffer.from("\0\0\0\0"), Buffer.alloc(4)]),
    ),
    rawFrame(data, 0, 1, Buffer.from("\x05he")),
    rawFrame(data, 0, 1),
    rawFrame(data, 1, 1, Buffer.from("llo")),
  );
  await until(() => client.frames.some((one) => one.streamId === 1 && isLast(one)));
  expect(came(client, data, 1)?.payload.subarray(5).toString()).toBe("hello");
  client.send(
    rawFrame(reset, 0, 1, number32(8)),
    rawFrame(data, 1, 1),
    rawFrame(windowUpdate, 0, 1, number32(1)),
  );
  await answered(client, 3);
  client.socket.destroy();
});

test("more streams than allowed are refused, and room is made again", async () => {
  const client = await rawClient(server.address.port);
  const never = { ...callHeaders, ":path": "/never" };
  const ids = Array.from({ length: streamsMax + 1 }, (_, at) => 2 * at + 1);
  client.send(...ids.map((id) => rawCall(id, Buffer.from("x"), never)));
  const refused = ids.at(-1) as number;
  await until(() => came(client, reset, refused));
  expect(came(client, reset)?.payload.readUInt32BE()).toBe(errorCode.refusedStream);
  client.send(rawFrame(reset, 0, 1, number32(8)));
  await answered(client, refused + 2);
  client.socket.destroy();
});

test("a client that gives up its calls again and again is sent away", async () => {
  const client = await rawClient(server.address.port);
  for (let id = 1; id < 4_000 && !client.isClosed; id += 2) {
    client.send(rawFrame(headers, 4, id, block), rawFrame(reset, 0, id, number32(8)));
  }
  expect(await goneWith(client)).toBe(errorCode.enhanceYourCalm);
  await serves();
});

test("a client that asks and does not read is not read either", async () => {
  const client = await rawClient(server.address.port);
  client.socket.pause();
  const onePing = rawFrame(ping, 0, 0, Buffer.alloc(8));
  const pings = Buffer.concat(Array.from({ length: 4_000 }, () => onePing));
  // Far more than the buffers between us hold: it only comes to a stop when nobody reads.
  let sent = 0;
  while (client.socket.writableLength < 2_000_000 && sent < 200_000_000) {
    client.send(pings);
    sent += pings.length;
    await new Promise(setImmediate);
  }
  expect(sent).toBeLessThan(200_000_000);
  await serves();
  client.socket.destroy();
});

test("a client that reads late gets all that it asked for", async () => {
  const client = await rawClient(server.address.port);
  client.send(rawFrame(settings, 0, 0, Buffer.from("00047fffffff", "hex")));
  client.send(rawFrame(windowUpdate, 0, 0, number32(2 ** 31 - 1 - 65_535)));
  client.socket.pause();
  const large = { ...callHeaders, ":path": "/large" };
  const ids = Array.from({ length: streamsMax - 1 }, (_, at) => 2 * at + 1);
  for (const id of ids) client.send(rawCall(id, Buffer.from("x"), large));
  await serves();
  // From the first of these on, nothing of it is read until it reads itself.
  for (let count = 0; count < 3; count++) {
    client.send(rawFrame(ping, 0, 0, Buffer.alloc(8)));
    await serves();
  }
  client.socket.resume();
  await until(() => client.frames.filter(isLast).length === ids.length);
  await answered(client, 2 * streamsMax + 1);
  client.socket.destroy();
});

test("an answer waits for the client's windows, those beside it go on", async () => {
  const client = await rawClient(server.address.port);
  client.send(rawFrame(settings, 0, 0, Buffer.from("000400000064", "hex")));
  client.send(rawCall(1, Buffer.from("x"), { ...callHeaders, ":path": "/large" }));
  const size = (): number =>
    client.frames.reduce(
      (sum, one) => sum + (one.streamId === 1 && one.type === data ? one.payload.length : 0),
      0,
    );
  await until(() => size() === 100);
  await answered(client, 3);
  // A smaller window than what was sent already, then room for all of it.
  client.send(rawFrame(settings, 0, 0, Buffer.from("000400000000", "hex")));
  client.send(rawFrame(windowUpdate, 0, 1, number32(200)));
  await until(() => size() === 200);
  client.send(rawFrame(windowUpdate, 0, 1, number32(4_000_000)));
  await until(() => size() === 65_535 - 5 - 5);
  client.send(rawFrame(windowUpdate, 0, 0, number32(4_000_000)));
  await until(() => client.frames.some((one) => one.streamId === 1 && isLast(one)));
  expect(size()).toBe(3_000_005);
  client.socket.destroy();
});

test("node:http2 as a client: any header value, any size, small windows, no table", async () => {
  const session = connectHttp2(`http://127.0.0.1:${server.address.port}`, {
    settings: { initialWindowSize: 1_000, headerTableSize: 0 },
  });
  const ask = async (path: string, body: Buffer, extra = {}): Promise<Buffer> => {
    const stream = session.request({ ...callHeaders, ":path": path, ...extra });
    stream.end(Buffer.concat([Uint8Array.of(0), number32(body.length), body]));
    const chunks: Buffer[] = [];
    stream.on("data", (chunk) => chunks.push(chunk));
    const trailers = once(stream, "trailers");
    await once(stream, "end");
    expect((await trailers)[0]["grpc-status"]).toBe("0");
    return Buffer.concat(chunks).subarray(5);
  };
  const printable = Array.from({ length: 224 }, (_, at) => at + 32).filter((code) => code !== 127);
  // The encoder takes Huffman codes only where they are shorter: here the letters pay for the rest.
  const value = printable.map((code) => `aaaaaaaaaa${String.fromCharCode(code)}`).join("");
  for (let round = 0; round < 3; round++) {
    expect(await ask("/echo", Buffer.from("a"), { "x-any": value })).toEqual(Buffer.from("a"));
    expect(seen.at(-1)?.["x-any"]).toBe(value);
  }
  for (const size of [0, 1, 16_379, 16_380, 70_000, 1_500_000]) {
    const body = Buffer.alloc(size, "z");
    const all = await Promise.all([1, 2, 3].map(() => ask("/echo", body)));
    for (const one of all) expect(one.equals(body)).toBe(true);
  }
  session.settings({ headerTableSize: 4_096 });
  session.settings({ headerTableSize: 100 });
  expect(await ask("/large", Buffer.alloc(0))).toHaveLength(3_000_000);
  session.destroy();
});

test("any frames in any order: the connection goes on or ends, the server serves", async () => {
  const random = seededRandom("frames");
  const below = (most: number): number => random.below(most);
  const types = [0, 0, 1, 1, 3, 4, 6, 8, 8, 9, 2, 5, 7, 200];
  for (let round = 0; round < 150; round++) {
    const client = await rawClient(server.address.port);
    for (let count = 0; count < 40 && !client.isClosed; count++) {
      const type = types[below(types.length)] as number;
      const contents = [
        block,
        number32(below(2 ** 31)),
        Buffer.alloc(below(20), below(256)),
        Buffer.alloc(8),
        Buffer.from("\0\0\0\0\x01a"),
      ];
      const frame = rawFrame(
        type,
        [0, 1, 4, 5, below(256)][below(5)] as number,
        [0, 1, 3, 5, below(20)][below(5)] as number,
        contents[below(5)],
      );
      if (below(30) === 0) frame[below(frame.length)] = below(256);
      client.send(frame);
      if (below(4) === 0) await new Promise(setImmediate);
    }
    client.socket.destroy();
    if (round % 10 === 0) await serves();
  }
  await serves();
});
