import { utf8Bytes } from "./utf8.ts";

const sines: Int32Array = Int32Array.from(
  { length: 64 },
  (_, step) => Math.floor(Math.abs(Math.sin(step + 1)) * 0x1_0000_0000) | 0,
);

const start: Int32Array = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
/** Work space of one call, kept since it costs as much to make as a short key to digest. */
const state = new Int32Array(4);
const block = new Int32Array(16);

/**
 * MD5 (RFC 1321) as four little-endian words, the form in which every ketama reads it. Written here
 * because for a short key the way into the native digest and back takes four times as long, and
 * because a FIPS build of Node refuses MD5. For the wire compatibility of ketama alone: MD5 is
 * broken as a signature.
 */
export function md5Words(key: Uint8Array | string): readonly [number, number, number, number] {
  state.set(start);
  block.fill(0);
  if (typeof key === "string" && packed(key)) digest();
  else digestBytes(utf8Bytes(key));
  return [word(state, 0) >>> 0, word(state, 1) >>> 0, word(state, 2) >>> 0, word(state, 3) >>> 0];
}

/** Bytes that the last block has room for, before the mark and the length. */
const tailBytesMax = 55;

/** Writes a short ASCII text to the block, with its mark and length: most keys are that. */
function packed(text: string): boolean {
  const length = text.length;
  if (length > tailBytesMax) return false;
  let seen = 0;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    seen |= code;
    put(i, code);
  }
  if (seen > 0x7f) return false;
  put(length, 0x80);
  block[14] = length << 3;
  return true;
}

function digestBytes(bytes: Uint8Array): void {
  const length = bytes.length;
  const bodyEnd = length & ~63;
  for (let from = 0; from < bodyEnd; from += 64) {
    block.fill(0);
    for (let i = 0; i < 64; i++) put(i, bytes[from + i] as number);
    digest();
  }
  block.fill(0);
  for (let i = bodyEnd; i < length; i++) put(i - bodyEnd, bytes[i] as number);
  put(length - bodyEnd, 0x80);
  if (length - bodyEnd > tailBytesMax) {
    digest();
    block.fill(0);
  }
  // The length in bits; its top 32 bits count from half a gigabyte on.
  block[14] = length << 3;
  block[15] = Math.floor(length / 0x2000_0000);
  digest();
}

/** Sets a byte of the block, which was 0. */
function put(index: number, byte: number): void {
  block[index >> 2] = word(block, index >> 2) | (byte << ((index & 3) * 8));
}

/** Four rounds of sixteen steps; each names its words as the RFC does. */
function digest(): void {
  const x = block;
  let a = word(state, 0);
  let b = word(state, 1);
  let c = word(state, 2);
  let d = word(state, 3);
  for (let i = 0; i < 16; i += 4) {
    a = (b + turned(a + (d ^ (b & (c ^ d))) + word(x, i) + word(sines, i), 7)) | 0;
    d = (a + turned(d + (c ^ (a & (b ^ c))) + word(x, i + 1) + word(sines, i + 1), 12)) | 0;
    c = (d + turned(c + (b ^ (d & (a ^ b))) + word(x, i + 2) + word(sines, i + 2), 17)) | 0;
    b = (c + turned(b + (a ^ (c & (d ^ a))) + word(x, i + 3) + word(sines, i + 3), 22)) | 0;
  }
  for (let i = 16; i < 32; i += 4) {
    a = (b + turned(a + (c ^ (d & (b ^ c))) + word(x, (5 * i + 1) & 15) + word(sines, i), 5)) | 0;
    d =
      (a + turned(d + (b ^ (c & (a ^ b))) + word(x, (5 * i + 6) & 15) + word(sines, i + 1), 9)) | 0;
    c =
      (d + turned(c + (a ^ (b & (d ^ a))) + word(x, (5 * i + 11) & 15) + word(sines, i + 2), 14)) |
      0;
    b = (c + turned(b + (d ^ (a & (c ^ d))) + word(x, (5 * i) & 15) + word(sines, i + 3), 20)) | 0;
  }
  for (let i = 32; i < 48; i += 4) {
    a = (b + turned(a + (b ^ c ^ d) + word(x, (3 * i + 5) & 15) + word(sines, i), 4)) | 0;
    d = (a + turned(d + (a ^ b ^ c) + word(x, (3 * i + 8) & 15) + word(sines, i + 1), 11)) | 0;
    c = (d + turned(c + (d ^ a ^ b) + word(x, (3 * i + 11) & 15) + word(sines, i + 2), 16)) | 0;
    b = (c + turned(b + (c ^ d ^ a) + word(x, (3 * i + 14) & 15) + word(sines, i + 3), 23)) | 0;
  }
  for (let i = 48; i < 64; i += 4) {
    a = (b + turned(a + (c ^ (b | ~d)) + word(x, (7 * i) & 15) + word(sines, i), 6)) | 0;
    d = (a + turned(d + (b ^ (a | ~c)) + word(x, (7 * i + 7) & 15) + word(sines, i + 1), 10)) | 0;
    c = (d + turned(c + (a ^ (d | ~b)) + word(x, (7 * i + 14) & 15) + word(sines, i + 2), 15)) | 0;
    b = (c + turned(b + (d ^ (c | ~a)) + word(x, (7 * i + 5) & 15) + word(sines, i + 3), 21)) | 0;
  }
  state[0] = word(state, 0) + a;
  state[1] = word(state, 1) + b;
  state[2] = word(state, 2) + c;
  state[3] = word(state, 3) + d;
}

function turned(sum: number, by: number): number {
  return (sum << by) | (sum >>> (32 - by));
}

function word(words: Int32Array, index: number): number {
  return words[index] as number;
}
