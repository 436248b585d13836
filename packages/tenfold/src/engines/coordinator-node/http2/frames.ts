/** The parts of RFC 9113 that both directions share. */
export const frameType = Object.freeze({
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
});

export const frameFlag = Object.freeze({
  endStream: 1,
  acknowledge: 1,
  endHeaders: 4,
  padded: 8,
  priority: 32,
});

export const errorCode = Object.freeze({
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  compression: 9,
  enhanceYourCalm: 11,
});

export const setting = Object.freeze({
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
});

export const frameHeadBytes = 9;
/** What both sides may send before anything else is agreed; we never agree on more. */
export const frameBytesMax = 16_384;
export const windowBytesMax = 2 ** 31 - 1;
export const initialWindowBytes = 65_535;
export const preface: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** The peer broke the protocol: the connection ends with this code. */
export class ConnectionError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export function broken(how: string): ConnectionError {
  return new ConnectionError(errorCode.protocol, how);
}

export function tooWide(): ConnectionError {
  return new ConnectionError(errorCode.flowControl, "a window over its limit");
}

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** Puts chunks together to frames; the first bytes must be the preface of HTTP/2. */
export class FrameParser {
  #rest: Buffer = Buffer.alloc(0);
  #isBegun = false;

  /** @throws ConnectionError when this is no HTTP/2, or a frame is too large */
  push(chunk: Buffer, take: (frame: Frame) => boolean): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    if (!this.#isBegun) {
      const length = Math.min(bytes.length, preface.length);
      if (!bytes.subarray(0, length).equals(preface.subarray(0, length))) {
        throw new ConnectionError(errorCode.protocol, "no HTTP/2 client");
      }
      this.#isBegun = length === preface.length;
      at = this.#isBegun ? length : 0;
    }
    while (this.#isBegun && bytes.length - at >= frameHeadBytes) {
      const length = bytes.readUIntBE(at, 3);
      if (length > frameBytesMax) {
        throw new ConnectionError(errorCode.frameSize, `a frame of ${length} bytes`);
      }
      const start = at + frameHeadBytes;
      if (bytes.length - start < length) break;
      const frame = {
        type: bytes[at + 3] as number,
        flags: bytes[at + 4] as number,
        streamId: bytes.readUInt32BE(at + 5) & windowBytesMax,
        payload: bytes.subarray(start, start + length),
      };
      at = start + length;
      if (!take(frame)) return;
    }
    this.#rest = bytes.subarray(at);
  }
}

/** The content of DATA and HEADERS without padding and priority. @throws ConnectionError */
export function contentOf({ type, flags, payload }: Frame): Buffer {
  let start = 0;
  let padding = 0;
  if ((flags & frameFlag.padded) !== 0) {
    padding = payload[0] ?? payload.length;
    start = 1;
  }
  if (type === frameType.headers && (flags & frameFlag.priority) !== 0) start += 5;
  if (start + padding > payload.length) {
    throw new ConnectionError(errorCode.protocol, "padding longer than its frame");
  }
  return start + padding === 0 ? payload : payload.subarray(start, payload.length - padding);
}
