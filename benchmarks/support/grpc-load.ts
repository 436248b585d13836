import { once } from "node:events";
import { connect, type Socket } from "node:net";

/**
 * A gRPC client that costs next to nothing, so that a load measures the server: HTTP/2 frames with
 * headers that were encoded once, answers of which only their presence is looked at (RFC 9113,
 * RFC 7541).
 */
export interface GrpcLoad {
  /** One request, one answer. @throws Error when the answer is an error */
  call(path: string, message: Uint8Array): Promise<void>;
  /** A call that stays open; `onMessage` for every DATA frame that comes. */
  open(path: string, message: Uint8Array, onMessage: () => void): void;
  close(): void;
}

const frame = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  window: 8,
} as const;
const endStream = 1;
const endHeaders = 4;
const acknowledge = 1;
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const windowBytes = 2_000_000_000;

interface Pending {
  readonly onMessage: () => void;
  readonly onEnd: (answered: boolean) => void;
  answered: boolean;
}

export async function connectGrpcLoad(port: number): Promise<GrpcLoad> {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  await once(socket, "connect");
  const pending = new Map<number, Pending>();
  const headers = new Map<string, Buffer>();
  let nextId = 1;
  // Large windows: the server is never held up by us.
  const initialWindow = Buffer.alloc(6);
  initialWindow.writeUInt16BE(4);
  initialWindow.writeUInt32BE(windowBytes, 2);
  const moreWindow = Buffer.alloc(4);
  moreWindow.writeUInt32BE(windowBytes);
  socket.write(preface);
  socket.write(frameOf(frame.settings, 0, 0, initialWindow));
  socket.write(frameOf(frame.window, 0, 0, moreWindow));
  readFrames(socket, pending);

  const start = (path: string, message: Uint8Array, flags: number, call: Pending): void => {
    const head = headers.get(path) ?? headerBlock(path, port);
    headers.set(path, head);
    const id = nextId;
    nextId += 2;
    pending.set(id, call);
    const body = Buffer.alloc(5 + message.length);
    body.writeUInt32BE(message.length, 1);
    body.set(message, 5);
    const frames = [
      frameOf(frame.headers, endHeaders, id, head),
      frameOf(frame.data, flags, id, body),
    ];
    socket.write(Buffer.concat(frames));
  };
  return {
    call: (path, message) =>
      new Promise((resolve, reject) => {
        const onEnd = (answered: boolean): void =>
          answered ? resolve() : reject(new Error(`${path} was refused`));
        start(path, message, endStream, { onMessage() {}, onEnd, answered: false });
      }),
    open(path, message, onMessage) {
      start(path, message, 0, { onMessage, onEnd() {}, answered: false });
    },
    close: () => void socket.destroy(),
  };
}

function readFrames(socket: Socket, pending: Map<number, Pending>): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    let all = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (all.length >= 9) {
      const end = 9 + all.readUIntBE(0, 3);
      if (all.length < end) break;
      take(socket, pending, all.subarray(0, end));
      all = all.subarray(end);
    }
    rest = all;
  });
}

function take(socket: Socket, pending: Map<number, Pending>, all: Buffer): void {
  const [type = 0, flags = 0] = [all[3], all[4]];
  const id = all.readUInt32BE(5);
  const call = pending.get(id);
  const asksForAnswer = type === frame.settings || type === frame.ping;
  if (asksForAnswer && (flags & acknowledge) === 0) {
    const content = type === frame.ping ? all.subarray(9) : Buffer.alloc(0);
    socket.write(frameOf(type, acknowledge, 0, content));
  }
  if (call === undefined) return;
  if (type === frame.data && all.length > 9) {
    call.answered = true;
    call.onMessage();
  }
  const isOver = type === frame.reset || ((flags & endStream) !== 0 && type <= frame.headers);
  if (!isOver) return;
  pending.delete(id);
  call.onEnd(call.answered);
}

function frameOf(type: number, flags: number, id: number, content: Uint8Array): Buffer {
  const whole = Buffer.alloc(9 + content.length);
  whole.writeUIntBE(content.length, 0, 3);
  whole[3] = type;
  whole[4] = flags;
  whole.writeUInt32BE(id, 5);
  whole.set(content, 9);
  return whole;
}

/** Literal fields without indexing and without Huffman codes: the same bytes for every call. */
function headerBlock(path: string, port: number): Buffer {
  const text = (value: string): Buffer => Buffer.from([value.length, ...Buffer.from(value)]);
  return Buffer.concat([
    // :method POST and :scheme http of the static table.
    Buffer.from([0x83, 0x86, 0x04]),
    text(path),
    Buffer.from([0x01]),
    text(`127.0.0.1:${port}`),
    Buffer.from([0x0f, 0x10]),
    text("application/grpc"),
    Buffer.from([0x00]),
    text("te"),
    text("trailers"),
  ]);
}
