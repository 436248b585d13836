import { once } from "node:events";
import { connect, type Socket } from "node:net";

import { type Frame, frameHeadBytes, frameType, preface } from "./frames.ts";
import { encodeHeaders } from "./hpack.ts";

/** A client that sends what it likes. */
export interface RawClient {
  readonly socket: Socket;
  /** What came, in order. */
  readonly frames: readonly Frame[];
  readonly isClosed: boolean;
  send(...parts: readonly Uint8Array[]): void;
}

export async function rawClient(port: number, greeting = greetings): Promise<RawClient> {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  await once(socket, "connect");
  const frames: Frame[] = [];
  let rest = Buffer.alloc(0);
  let isClosed = false;
  socket.on("error", () => {});
  socket.once("close", () => {
    isClosed = true;
  });
  socket.on("data", (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= frameHeadBytes) {
      const end = frameHeadBytes + rest.readUIntBE(0, 3);
      if (rest.length < end) break;
      const [type = 0, flags = 0] = [rest[3], rest[4]];
      const payload = rest.subarray(frameHeadBytes, end);
      frames.push({ type, flags, streamId: rest.readUInt32BE(5), payload });
      rest = rest.subarray(end);
    }
  });
  const send = (...parts: readonly Uint8Array[]): void => void socket.write(Buffer.concat(parts));
  send(greeting);
  return {
    socket,
    frames,
    get isClosed() {
      return isClosed;
    },
    send,
  };
}

export function rawFrame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array = new Uint8Array(0),
): Buffer {
  const head = Buffer.alloc(frameHeadBytes);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

export function number32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [at, value] of values.entries()) bytes.writeUInt32BE(value, 4 * at);
  return bytes;
}

export const greetings: Buffer = Buffer.concat([preface, rawFrame(frameType.settings, 0, 0)]);

export const callHeaders = {
  ":method": "POST",
  ":scheme": "http",
  ":path": "/echo",
  ":authority": "127.0.0.1",
  "content-type": "application/grpc",
  te: "trailers",
};

/** The frames of a call that is complete. */
export function rawCall(streamId: number, message: Uint8Array, headers = callHeaders): Buffer {
  const content = Buffer.concat([Uint8Array.of(0), number32(message.length), message]);
  return Buffer.concat([
    rawFrame(frameType.headers, 4, streamId, encodeHeaders(headers)),
    rawFrame(frameType.data, 1, streamId, content),
  ]);
}
