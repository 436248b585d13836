import fc from "fast-check";
import { expect, test } from "vitest";

import { murmur3x64 } from "./murmur3-x64.ts";

const hex = (key: Uint8Array | string, seed = 0): string =>
  murmur3x64(key, seed)
    .map((word) => word.toString(16).padStart(8, "0"))
    .join("");

test.each([
  ["", "00000000000000000000000000000000"],
  ["hello", "cbd8a7b341bd9b025b1e906a48ae1d19"],
  ["The quick brown fox jumps over the lazy dog", "e34bbc7bbc071b6c7a433ca9c49a9347"],
  ["The quick brown fox jumps over the lazy cog", "658ca970ff85269a43fee3eaa68e5c3e"],
])("public vector %j", (key, expected) => expect(hex(key)).toBe(expected));

// smhasher's own check: hash the keys {}, {0}, {0,1} … with seeds 256 … 1, then hash the hashes.
test("smhasher verification value", () => {
  const hashes = new Uint8Array(256 * 16);
  const key = Uint8Array.from({ length: 256 }, (_, i) => i);
  for (let i = 0; i < 256; i++) write(hashes, i * 16, murmur3x64(key.subarray(0, i), 256 - i));
  const last = new Uint8Array(16);
  write(last, 0, murmur3x64(hashes));
  expect(new DataView(last.buffer).getUint32(0, true)).toBe(0x6384ba69);
});

/** As the reference writes it to memory: two little-endian numbers of 64 bits. */
function write(target: Uint8Array, at: number, [a, b, c, d]: readonly number[]): void {
  const view = new DataView(target.buffer);
  for (const [i, word] of [b, a, d, c].entries()) view.setUint32(at + i * 4, word ?? 0, true);
}

test("text is its UTF-8 bytes", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.nat(), (text, seed) => {
      expect(hex(text, seed)).toBe(hex(new TextEncoder().encode(text), seed));
    }),
  );
});
