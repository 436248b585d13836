import { utf8Bytes } from "./utf8.ts";
import { productHigh } from "./word64.ts";

/** 128 bits as four unsigned 32-bit words, the most significant first. */
export type Words128 = readonly [number, number, number, number];

/** The two lanes of 64 bits, in halves. */
interface State {
  high1: number;
  low1: number;
  high2: number;
  low2: number;
}

const c1 = { high: 0x87c37b91, low: 0x114253d5 };
const c2 = { high: 0x4cf5ad43, low: 0x2745937f };

/**
 * MurmurHash3 x64_128 (Austin Appleby, smhasher). The words in hexadecimal, one after the other,
 * are the published form. Text is hashed as its UTF-8 bytes. Not for secrets.
 *
 * @param seed 0 … 2^32 − 1
 */
export function murmur3x64(key: Uint8Array | string, seed = 0): Words128 {
  const bytes = utf8Bytes(key);
  const length = bytes.length;
  const bodyEnd = length & ~15;
  const state = { high1: 0, low1: seed | 0, high2: 0, low2: seed | 0 };
  for (let i = 0; i < bodyEnd; i += 16) {
    mixFirst(state, word(bytes, i + 4, i + 8), word(bytes, i, i + 4));
    turnFirst(state);
    mixSecond(state, word(bytes, i + 12, i + 16), word(bytes, i + 8, i + 12));
    turnSecond(state);
  }
  const end = (from: number): number => Math.max(from, Math.min(length, from + 4));
  const tail = (from: number): number => word(bytes, from, end(from));
  mixSecond(state, tail(bodyEnd + 12), tail(bodyEnd + 8));
  mixFirst(state, tail(bodyEnd + 4), tail(bodyEnd));
  state.low1 ^= length;
  state.low2 ^= length;
  addSecondToFirst(state);
  addFirstToSecond(state);
  avalancheBoth(state);
  addSecondToFirst(state);
  addFirstToSecond(state);
  return [state.high1 >>> 0, state.low1 >>> 0, state.high2 >>> 0, state.low2 >>> 0];
}

/** h1 ^= rotl(k1 * c1, 31) * c2 */
function mixFirst(state: State, high: number, low: number): void {
  const kHigh = productHigh(high, low, c1.high, c1.low);
  const kLow = Math.imul(low, c1.low);
  const turnedHigh = (kHigh << 31) | (kLow >>> 1);
  const turnedLow = (kLow << 31) | (kHigh >>> 1);
  state.high1 ^= productHigh(turnedHigh, turnedLow, c2.high, c2.low);
  state.low1 ^= Math.imul(turnedLow, c2.low);
}

/** h2 ^= rotl(k2 * c2, 33) * c1 */
function mixSecond(state: State, high: number, low: number): void {
  const kHigh = productHigh(high, low, c2.high, c2.low);
  const kLow = Math.imul(low, c2.low);
  // A turn by 33 swaps the halves and turns by 1.
  const turnedHigh = (kLow << 1) | (kHigh >>> 31);
  const turnedLow = (kHigh << 1) | (kLow >>> 31);
  state.high2 ^= productHigh(turnedHigh, turnedLow, c1.high, c1.low);
  state.low2 ^= Math.imul(turnedLow, c1.low);
}

/** h1 = (rotl(h1, 27) + h2) * 5 + 0x52dce729 */
function turnFirst(state: State): void {
  const { high1, low1 } = state;
  state.high1 = (high1 << 27) | (low1 >>> 5);
  state.low1 = (low1 << 27) | (high1 >>> 5);
  addSecondToFirst(state);
  const high = productHigh(state.high1, state.low1, 0, 5);
  const low = (Math.imul(state.low1, 5) >>> 0) + 0x52dce729;
  state.high1 = (high + carry(low)) | 0;
  state.low1 = low | 0;
}

/** h2 = (rotl(h2, 31) + h1) * 5 + 0x38495ab5 */
function turnSecond(state: State): void {
  const { high2, low2 } = state;
  state.high2 = (high2 << 31) | (low2 >>> 1);
  state.low2 = (low2 << 31) | (high2 >>> 1);
  addFirstToSecond(state);
  const high = productHigh(state.high2, state.low2, 0, 5);
  const low = (Math.imul(state.low2, 5) >>> 0) + 0x38495ab5;
  state.high2 = (high + carry(low)) | 0;
  state.low2 = low | 0;
}

function addSecondToFirst(state: State): void {
  const low = (state.low1 >>> 0) + (state.low2 >>> 0);
  state.high1 = (state.high1 + state.high2 + carry(low)) | 0;
  state.low1 = low | 0;
}

function addFirstToSecond(state: State): void {
  const low = (state.low1 >>> 0) + (state.low2 >>> 0);
  state.high2 = (state.high1 + state.high2 + carry(low)) | 0;
  state.low2 = low | 0;
}

function avalancheBoth(state: State): void {
  [state.high1, state.low1] = avalanche64(state.high1, state.low1);
  [state.high2, state.low2] = avalanche64(state.high2, state.low2);
}

/** A shift by 33 leaves the high half alone: `k ^= k >>> 33` is `low ^= high >>> 1`. */
function avalanche64(high: number, low: number): [number, number] {
  let a = high;
  let b = low ^ (high >>> 1);
  a = productHigh(a, b, 0xff51afd7, 0xed558ccd);
  b = Math.imul(b, 0xed558ccd);
  b ^= a >>> 1;
  a = productHigh(a, b, 0xc4ceb9fe, 0x1a85ec53);
  b = Math.imul(b, 0x1a85ec53);
  return [a, b ^ (a >>> 1)];
}

function carry(sum: number): number {
  return sum > 0xffff_ffff ? 1 : 0;
}

/** Up to four bytes as a little-endian number. */
function word(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let i = to - 1; i >= from; i--) value = (value << 8) | (bytes[i] as number);
  return value;
}
