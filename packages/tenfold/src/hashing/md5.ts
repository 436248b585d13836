import { utf8Bytes } from "./utf8.ts";

const sines: Int32Array = Int32Array.from(
  { length: 64 },
  (_, step) => Math.floor(Math.abs(Math.sin(step + 1)) * 0x1_0000_0000) | 0,
);

/** Work space of one call, kept since it costs as much to make as a short key to digest. */
const state = new Int32Array(4);
const block = new Int32Array(16);

/**
 * MD5 (RFC 1321) as four little-endian words, the form in which every ketama reads it. Written here
 * because for a short key the way into the native digest and back takes several times as long, and
 * because a FIPS build of Node refuses MD5. For the wire compatibility of ketama alone: MD5 is
 * broken as a signature.
 */
export function md5Words(key: Uint8Array | string): readonly [number, number, number, number] {
  digestKey(key);
  return [word(state, 0) >>> 0, word(state, 1) >>> 0, word(state, 2) >>> 0, word(state, 3) >>> 0];
}

/** The first of the words: what ketama takes of a key. */
export function md5Word(key: Uint8Array | string): number {
  digestKey(key);
  return word(state, 0) >>> 0;
}

function digestKey(key: Uint8Array | string): void {
  state[0] = 0x67452301;
  state[1] = 0xefcdab89;
  state[2] = 0x98badcfe;
  state[3] = 0x10325476;
  if (typeof key === "string" && packed(key)) digest();
  else digestBytes(utf8Bytes(key));
}

/** Bytes that the last block has room for, before the mark and the length. */
const tailBytesMax = 55;

/** Writes a short ASCII text to the block, with its mark and length: most keys are that. */
function packed(text: string): boolean {
  const length = text.length;
  if (length > tailBytesMax) return false;
  let seen = 0;
  let four = 0;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    seen |= code;
    four |= code << ((i & 3) * 8);
    if ((i & 3) !== 3) continue;
    block[i >> 2] = four;
    four = 0;
  }
  if (seen > 0x7f) return false;
  const last = length >> 2;
  block[last] = four | (0x80 << ((length & 3) * 8));
  for (let i = last + 1; i < 16; i++) block[i] = 0;
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

/**
 * Four rounds of sixteen steps; each names its words as the RFC does. Every sum ends with the part
 * that waits for the step before: the processor adds up the rest meanwhile.
 */
function digest(): void {
  const x = block;
  let a = word(state, 0);
  let b = word(state, 1);
  let c = word(state, 2);
  let d = word(state, 3);
  for (let i = 0; i < 16; i += 4) {
    a = (b + turned(a + word(x, i) + word(sines, i) + (d ^ (b & (c ^ d))), 7)) | 0;
    d = (a + turned(d + word(x, i + 1) + word(sines, i + 1) + (c ^ (a & (b ^ c))), 12)) | 0;
    c = (d + turned(c + word(x, i + 2) + word(sines, i + 2) + (b ^ (d & (a ^ b))), 17)) | 0;
    b = (c + turned(b + word(x, i + 3) + word(sines, i + 3) + (a ^ (c & (d ^ a))), 22)) | 0;
  }
  for (let i = 16; i < 32; i += 4) {
    a = (b + turned(a + word(x, (5 * i + 1) & 15) + word(sines, i) + (c & ~d) + (b & d), 5)) | 0;
    d =
      (a + turned(d + word(x, (5 * i + 6) & 15) + word(sines, i + 1) + (b & ~c) + (a & c), 9)) | 0;
    c =
      (d + turned(c + word(x, (5 * i + 11) & 15) + word(sines, i + 2) + (a & ~b) + (d & b), 14)) |
      0;
    b = (c + turned(b + word(x, (5 * i) & 15) + word(sines, i + 3) + (d & ~a) + (c & a), 20)) | 0;
  }
  for (let i = 32; i < 48; i += 4) {
    a = (b + turned(a + word(x, (3 * i + 5) & 15) + word(sines, i) + (b ^ (c ^ d)), 4)) | 0;
    d = (a + turned(d + word(x, (3 * i + 8) & 15) + word(sines, i + 1) + (a ^ (b ^ c)), 11)) | 0;
    c = (d + turned(c + word(x, (3 * i + 11) & 15) + word(sines, i + 2) + (d ^ (a ^ b)), 16)) | 0;
    b = (c + turned(b + word(x, (3 * i + 14) & 15) + word(sines, i + 3) + (c ^ (d ^ a)), 23)) | 0;
  }
  for (let i = 48; i < 64; i += 4) {
    a = (b + turned(a + word(x, (7 * i) & 15) + word(sines, i) + (c ^ (b | ~d)), 6)) | 0;
    d = (a + turned(d + word(x, (7 * i + 7) & 15) + word(sines, i + 1) + (b ^ (a | ~c)), 10)) | 0;
    c = (d + turned(c + word(x, (7 * i + 14) & 15) + word(sines, i + 2) + (a ^ (d | ~b)), 15)) | 0;
    b = (c + turned(b + word(x, (7 * i + 5) & 15) + word(sines, i + 3) + (d ^ (c | ~a)), 21)) | 0;
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
