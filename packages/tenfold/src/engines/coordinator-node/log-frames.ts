import { crc32 } from "node:zlib";

/**
 * The file of the journal: a head, then frames of length, checksum and content. Whoever reads it
 * can tell a write that a power cut tore, which is the last one and was never acknowledged, from
 * damage to what had been.
 */
export interface LogHead {
  readonly formatVersion: number;
  /** Up to here the file was surely written once; later frames are found by their checksums. */
  readonly acknowledgedBytes: number;
}

/** Of what the frames hold. */
export const logFormatVersion = 3;
const magic = Buffer.from("Tenfold coordinator log\n");
export const logHeadBytes = 64;
const versionAt = 24;
const markAt = 32;
const frameHeadBytes = 8;

/** The head of a new file. */
export function encodeHead(acknowledgedBytes: number): Uint8Array {
  const head = Buffer.alloc(logHeadBytes);
  head.set(magic);
  head.writeUInt32BE(logFormatVersion, versionAt);
  head.writeUInt32BE(crc32(head.subarray(0, versionAt + 4)), versionAt + 4);
  head.set(encodeMark(acknowledgedBytes).bytes, markAt);
  return head;
}

/** The part of the head that moves on, and where it stands. */
export function encodeMark(acknowledgedBytes: number): { bytes: Uint8Array; position: number } {
  const bytes = Buffer.alloc(12);
  bytes.writeBigUInt64BE(BigInt(acknowledgedBytes));
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 8)), 8);
  return { bytes, position: markAt };
}

/** Undefined when this is no such file. */
export function readHead(file: Uint8Array): LogHead | undefined {
  const head = Buffer.from(file.buffer, file.byteOffset, Math.min(file.length, logHeadBytes));
  if (head.length < logHeadBytes || !head.subarray(0, magic.length).equals(magic)) return undefined;
  const known = head.readUInt32BE(versionAt + 4) === crc32(head.subarray(0, versionAt + 4));
  if (!known) return undefined;
  const mark = head.subarray(markAt, markAt + 8);
  // A mark that was torn tells nothing; the checksums of the frames still do.
  const isMarked = head.readUInt32BE(markAt + 8) === crc32(mark);
  return {
    formatVersion: head.readUInt32BE(versionAt),
    acknowledgedBytes: isMarked ? Number(mark.readBigUInt64BE()) : 0,
  };
}

export function encodeFrame(content: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(frameHeadBytes + content.length);
  frame.writeUInt32BE(content.length);
  frame.writeUInt32BE(crc32(content), 4);
  frame.set(content, frameHeadBytes);
  return frame;
}

/** The contents of the whole frames, and where the last of them ends. */
export interface LogFrames {
  readonly contents: readonly Uint8Array[];
  readonly end: number;
}

/** @returns undefined when something that was written whole is damaged */
export function readFrames(file: Uint8Array, acknowledgedBytes: number): LogFrames | undefined {
  const contents: Uint8Array[] = [];
  let end = logHeadBytes;
  for (;;) {
    const content = frameAt(file, end);
    if (content === undefined) break;
    contents.push(content);
    end += frameHeadBytes + content.length;
  }
  if (end < acknowledgedBytes || hasMoreAfter(file, end)) return undefined;
  return { contents, end };
}

function frameAt(file: Uint8Array, position: number): Uint8Array | undefined {
  const length = lengthAt(file, position);
  const start = position + frameHeadBytes;
  if (length === 0 || start + length > file.length) return undefined;
  const content = file.subarray(start, start + length);
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  return crc32(content) === view.getUint32(position + 4) ? content : undefined;
}

/** No frame is empty: zeros, such as a file system leaves after a power cut, are none. */
function lengthAt(file: Uint8Array, position: number): number {
  if (position + frameHeadBytes > file.length) return 0;
  return new DataView(file.buffer, file.byteOffset, file.length).getUint32(position);
}

/** A write begins when the one before it is on disk: what was torn has nothing after it. */
function hasMoreAfter(file: Uint8Array, torn: number): boolean {
  const length = lengthAt(file, torn);
  return length > 0 && torn + frameHeadBytes + length < file.length;
}
