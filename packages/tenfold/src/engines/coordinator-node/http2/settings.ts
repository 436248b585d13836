import {
  broken,
  ConnectionError,
  errorCode,
  frameBytesMax,
  setting,
  tooWide,
  windowBytesMax,
} from "./frames.ts";

/** What a client asks for and we heed. */
export interface PeerSettings {
  readonly initialWindow: number;
  readonly headerTable: number;
}

/** @throws ConnectionError */
export function readSettings(payload: Buffer, before: PeerSettings): PeerSettings {
  if (payload.length % 6 !== 0) {
    throw new ConnectionError(errorCode.frameSize, "settings of a broken length");
  }
  let { initialWindow, headerTable } = before;
  for (let at = 0; at < payload.length; at += 6) {
    const value = payload.readUInt32BE(at + 2);
    switch (payload.readUInt16BE(at)) {
      case setting.headerTableSize:
        headerTable = value;
        break;
      case setting.initialWindowSize:
        if (value > windowBytesMax) {
          throw tooWide();
        }
        initialWindow = value;
        break;
      case setting.enablePush:
        if (value > 1) throw broken("push is on or off");
        break;
      case setting.maxFrameSize:
        // We send no larger ones than the smallest that may be asked for.
        if (value < frameBytesMax || value >= 2 ** 24) {
          throw broken("a frame size out of range");
        }
        break;
    }
  }
  return { initialWindow, headerTable };
}

export function encodeSettings(all: readonly (readonly [name: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(all.length * 6);
  for (const [index, [name, value]] of all.entries()) {
    payload.writeUInt16BE(name, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  }
  return payload;
}
