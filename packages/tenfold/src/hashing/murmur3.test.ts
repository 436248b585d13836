import fc from "fast-check";
import { expect, test } from "vitest";

import { murmur3 } from "./murmur3.ts";

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));

test.each<[string | Uint8Array, number, number]>([
  ["", 0, 0],
  ["", 1, 0x514e28b7],
  ["", 0xffffffff, 0x81f16f39],
  [bytes("ffffffff"), 0, 0x76293b50],
  [bytes("21436587"), 0, 0xf55b516b],
  [bytes("21436587"), 0x5082edee, 0x2362f9de],
  [bytes("214365"), 0, 0x7e4a8634],
  [bytes("2143"), 0, 0xa0f7b07a],
  [bytes("21"), 0, 0x72661cf4],
  ["aaaa", 0x9747b28c, 0x5a97808a],
  ["abc", 0, 0xb3dd93fa],
  ["Hello, world!", 0x9747b28c, 0x24884cba],
  ["The quick brown fox jumps over the lazy dog", 0, 0x2e4ff723],
  ["The quick brown fox jumps over the lazy dog", 0x9747b28c, 0x2fa826cd],
  ["ππππππππ", 0x9747b28c, 0xd58063c1],
])("public vector %#", (key, seed, hash) => {
  expect(murmur3(key, seed)).toBe(hash);
});

// smhasher's own check: hash the keys {}, {0}, {0,1} … with seeds 256 … 1, then hash the hashes.
test("smhasher verification value", () => {
  const hashes = new Uint8Array(256 * 4);
  const view = new DataView(hashes.buffer);
  const key = new Uint8Array(256);
  for (let i = 0; i < 256; i++) {
    key[i] = i;
    view.setUint32(i * 4, murmur3(key.subarray(0, i), 256 - i), true);
  }
  expect(murmur3(hashes, 0)).toBe(0xb0f57ee3);
});

test("text is its UTF-8 bytes, lone surrogates too", () => {
  const unit = fc.oneof(fc.integer({ max: 0x7f, min: 0 }), fc.integer({ max: 0xffff, min: 0 }));
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 300 }), fc.nat(), (codes, seed) => {
      const text = String.fromCharCode(...codes);
      expect(murmur3(text, seed)).toBe(murmur3(new TextEncoder().encode(text), seed));
    }),
  );
});
