/** gRPC's length-prefixed messages over HTTP/2 (grpc/doc/PROTOCOL-HTTP2.md). */
export const grpcStatus = Object.freeze({
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
});

const headBytes = 5;

/** One message, given in parts, with its five bytes of head; never compressed. */
export function grpcFrame(...parts: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const part of parts) length += part.length;
  const frame = Buffer.allocUnsafe(headBytes + length);
  frame[0] = 0;
  frame.writeUInt32BE(length, 1);
  let at = headBytes;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}

/** The head of a message in parts. The next call writes over it. */
export function grpcHead(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  head.writeUInt32BE(length, 1);
  return head;
}

const head = Buffer.alloc(headBytes);

export type FrameFault = "too-large" | "compressed";

export interface FrameReader {
  /** The messages that are complete with this chunk. @throws FrameError */
  push(chunk: Uint8Array): Uint8Array[];
  /** Of a message that has begun and is not complete. */
  readonly waitingBytes: number;
}

export class FrameError extends Error {
  readonly fault: FrameFault;

  constructor(fault: FrameFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

/** Puts chunks together; a message over `bytesMax` is refused by its head, before it is read. */
export function frameReader(bytesMax: number): FrameReader {
  let chunks: Uint8Array[] = [];
  let size = 0;
  /** Bytes until the next step is possible; chunks are joined only then. */
  let needed = headBytes;
  return {
    push(chunk) {
      chunks.push(chunk);
      size += chunk.length;
      const messages: Uint8Array[] = [];
      while (size >= needed) {
        const all = joined(chunks, size);
        const end = headBytes + frameLength(all, bytesMax);
        chunks = [all];
        needed = end;
        if (size < end) break;
        messages.push(all.subarray(headBytes, end));
        size -= end;
        chunks = size === 0 ? [] : [all.subarray(end)];
        needed = headBytes;
      }
      return messages;
    },
    get waitingBytes() {
      return size;
    },
  };
}

/** Most messages come in one chunk, which needs no copy. */
function joined(chunks: readonly Uint8Array[], size: number): Buffer {
  const [first] = chunks;
  if (chunks.length > 1 || first === undefined) return Buffer.concat(chunks, size);
  return Buffer.isBuffer(first) ? first : Buffer.from(first.buffer, first.byteOffset, first.length);
}

function frameLength(head: Buffer, bytesMax: number): number {
  if (head[0] !== 0) throw new FrameError("compressed", "Compressed messages are not supported.");
  const length = head.readUInt32BE(1);
  if (length <= bytesMax) return length;
  throw new FrameError("too-large", `A message of ${length} bytes came; at most ${bytesMax} may.`);
}

/** A status message as header text: percent-encoded UTF-8. */
export function encodeGrpcMessage(text: string): string {
  return encodeURIComponent(text).replace(/%(20|3A|2F|2C|3B|3D|40|22)/g, decodeURIComponent);
}

export function decodeGrpcMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
