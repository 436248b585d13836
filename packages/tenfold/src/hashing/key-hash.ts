import { md5Word } from "./md5.ts";
import { utf8Bytes } from "./utf8.ts";

/** 32-bit hashes of keys that memcached clients and proxies use beside ketama. */
export type KeyHash = "md5" | "one-at-a-time" | "fnv1a-64" | "crc32" | "murmur2";

/**
 * Each as the C sources compute it on x86, where `char` is signed: one-at-a-time and fnv1a-64 take
 * a byte from 0x80 on as a negative number, which matters for keys beyond ASCII.
 */
export const keyHashes: Readonly<Record<KeyHash, (key: Uint8Array | string) => number>> =
  Object.freeze({
    md5: md5Word,
    "one-at-a-time": (key) => oneAtATime(utf8Bytes(key)),
    "fnv1a-64": (key) => fnv1a64(utf8Bytes(key)),
    crc32: (key) => crc32(utf8Bytes(key)),
    murmur2: (key) => murmur2(utf8Bytes(key)),
  });

/** Bob Jenkins, 1997. */
function oneAtATime(bytes: Uint8Array): number {
  let hash = 0;
  for (let i = 0; i < bytes.length; i++) {
    hash = (hash + signed(bytes, i)) | 0;
    hash = (hash + (hash << 10)) | 0;
    hash ^= hash >>> 6;
  }
  hash = (hash + (hash << 3)) | 0;
  hash ^= hash >>> 11;
  return (hash + (hash << 15)) >>> 0;
}

/** The low half of FNV-1a's 64 bits, which is all that twemproxy keeps. */
function fnv1a64(bytes: Uint8Array): number {
  let hash = 0x84222325;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ signed(bytes, i), 0x1b3);
  return hash >>> 0;
}

const crcTable: Int32Array = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** CRC-32 as in zlib (twemproxy calls it crc32a). `crc` is the result so far, to go on from. */
export function crc32(bytes: Uint8Array, crc = 0): number {
  let rest = ~crc;
  for (let i = 0; i < bytes.length; i++) {
    rest = (rest >>> 8) ^ (crcTable[(rest ^ (bytes[i] as number)) & 0xff] as number);
  }
  return ~rest >>> 0;
}

/** MurmurHash2 with the seed that libmemcached and twemproxy give it. */
function murmur2(bytes: Uint8Array): number {
  const length = bytes.length;
  const bodyEnd = length & ~3;
  let hash = Math.imul(0xdeadbeef, length) ^ length;
  for (let i = 0; i < bodyEnd; i += 4) {
    let word = 0;
    for (let byte = 3; byte >= 0; byte--) word = (word << 8) | (bytes[i + byte] as number);
    word = Math.imul(word, 0x5bd1e995);
    word = Math.imul(word ^ (word >>> 24), 0x5bd1e995);
    hash = Math.imul(hash, 0x5bd1e995) ^ word;
  }
  if (length > bodyEnd) {
    let tail = 0;
    for (let i = length - 1; i >= bodyEnd; i--) tail = (tail << 8) | (bytes[i] as number);
    hash = Math.imul(hash ^ tail, 0x5bd1e995);
  }
  hash = Math.imul(hash ^ (hash >>> 13), 0x5bd1e995);
  return (hash ^ (hash >>> 15)) >>> 0;
}

function signed(bytes: Uint8Array, index: number): number {
  return ((bytes[index] as number) << 24) >> 24;
}
