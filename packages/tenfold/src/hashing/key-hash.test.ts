import { crc32 as zlibCrc32 } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";

import { crc32, type KeyHash, keyHashes } from "./key-hash.ts";

// twemproxy's and libmemcached's own test of "apple".
test.each<[KeyHash, number]>([
  ["md5", 3_195_025_439],
  ["one-at-a-time", 2_297_466_611],
  ["fnv1a-64", 1_488_911_807],
  ["crc32", 2_838_417_488],
  ["murmur2", 4_142_305_122],
])("%s of apple", (name, expected) => expect(keyHashes[name]("apple")).toBe(expected));

// Computed by the C loops on x86, where a char from 0x80 on is negative.
test.each([
  ["Größe", 4_104_820_167, 364_725_626],
  ["캐시", 900_893_684, 3_681_940_000],
])("beyond ASCII bytes are signed: %s", (key, oneAtATime, fnv) => {
  expect(keyHashes["one-at-a-time"](key)).toBe(oneAtATime);
  expect(keyHashes["fnv1a-64"](key)).toBe(fnv);
});

test("every hash is an unsigned 32-bit number, of text as of its bytes", () => {
  const hashes = Object.values(keyHashes);
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (key) => {
      for (const hash of hashes) {
        const value = hash(key);
        expect(value).toBe(value >>> 0);
        expect(hash(new TextEncoder().encode(key))).toBe(value);
      }
    }),
  );
});

test("crc32 is zlib's, also when it goes on from a first part", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (first, second) => {
      expect(crc32(second, crc32(first))).toBe(zlibCrc32(second, zlibCrc32(first)));
    }),
  );
});
