import { utf8Bytes } from "./utf8.ts";

export const redisSlots = 16_384;

const opening = 0x7b;
const closing = 0x7d;

const table: Uint16Array = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/**
 * The slot of a key in a Redis or Valkey cluster, 0 … 16,383: CRC-16/XMODEM of the key, or of its
 * tag, the text between the first `{` and the next `}` unless that is empty. Keys with one tag
 * share a slot.
 *
 * Source: the Redis cluster specification.
 */
export function redisSlot(key: Uint8Array | string): number {
  const bytes = utf8Bytes(key);
  const from = bytes.indexOf(opening);
  const to = from < 0 ? -1 : bytes.indexOf(closing, from + 1);
  return crc16(to > from + 1 ? bytes.subarray(from + 1, to) : bytes) % redisSlots;
}

/** CRC-16/XMODEM: polynomial 1021 (hexadecimal), from 0, nothing reflected. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (let i = 0; i < bytes.length; i++) {
    crc = ((crc << 8) & 0xffff) ^ (table[(crc >>> 8) ^ (bytes[i] as number)] as number);
  }
  return crc;
}
