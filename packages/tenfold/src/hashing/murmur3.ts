import { utf8Bytes } from "./utf8.ts";

/**
 * MurmurHash3 x86_32 (Austin Appleby, smhasher): an unsigned 32-bit number. Text is hashed as its
 * UTF-8 bytes. Not for secrets: collisions are easy to make.
 */
export function murmur3(key: Uint8Array | string, seed = 0): number {
  if (typeof key === "string") {
    const hash = ofAscii(key, seed);
    if (hash >= 0) return hash;
  }
  const bytes = utf8Bytes(key);
  return ofBytes(bytes, bytes.length, seed);
}

/** `murmur3` of the first `length` bytes, seed 0: for labels that change in place. */
export function murmur3Prefix(bytes: Uint8Array, length: number): number {
  return ofBytes(bytes, length, 0);
}

function ofBytes(bytes: Uint8Array, length: number, seed: number): number {
  const bodyEnd = length & ~3;
  let hash = seed | 0;
  for (let i = 0; i < bodyEnd; i += 4) {
    hash = stirred(
      hash,
      at(bytes, i) | (at(bytes, i + 1) << 8) | (at(bytes, i + 2) << 16) | (at(bytes, i + 3) << 24),
    );
  }
  let tail = 0;
  for (let i = length - 1; i >= bodyEnd; i--) tail = (tail << 8) | at(bytes, i);
  return finished(hash, tail, length);
}

/**
 * ASCII is its own UTF-8: read in place it hashes ten times as fast as encoded first. -1 when the
 * text is none.
 */
function ofAscii(text: string, seed: number): number {
  const length = text.length;
  const bodyEnd = length & ~3;
  let hash = seed | 0;
  let seen = 0;
  for (let i = 0; i < bodyEnd; i += 4) {
    const a = text.charCodeAt(i);
    const b = text.charCodeAt(i + 1);
    const c = text.charCodeAt(i + 2);
    const d = text.charCodeAt(i + 3);
    seen |= a | b | c | d;
    hash = stirred(hash, a | (b << 8) | (c << 16) | (d << 24));
  }
  let tail = 0;
  for (let i = length - 1; i >= bodyEnd; i--) {
    const code = text.charCodeAt(i);
    seen |= code;
    tail = (tail << 8) | code;
  }
  return seen > 0x7f ? -1 : finished(hash, tail, length);
}

function stirred(hash: number, word: number): number {
  const mixed = hash ^ scrambled(word);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

function scrambled(word: number): number {
  const k = Math.imul(word, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}

/** A tail of no bytes is 0 and scrambles to 0, so it needs no case of its own. */
function finished(hash: number, tail: number, length: number): number {
  return avalanche(hash ^ scrambled(tail) ^ length);
}

/** Murmur3's 32-bit finaliser: every bit of the input moves every bit of the result. */
export function avalanche(word: number): number {
  let hash = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function at(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}
