import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";

import { md5Words } from "./md5.ts";

const hex = (key: Uint8Array | string): string =>
  Buffer.from(Uint32Array.from(md5Words(key)).buffer).toString("hex");

// RFC 1321, appendix A.5.
test.each([
  ["", "d41d8cd98f00b204e9800998ecf8427e"],
  ["abc", "900150983cd24fb0d6963f7d28e17f72"],
  ["abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"],
  ["1234567890".repeat(8), "57edf4a22be3c955ac49da2e2107b67a"],
])("RFC 1321 %j", (key, expected) => expect(hex(key)).toBe(expected));

test("the digest of node:crypto, at every length around a block's end", () => {
  const native = (key: Uint8Array | string): string => createHash("md5").update(key).digest("hex");
  for (let length = 0; length < 200; length++) {
    const key = "k".repeat(length);
    expect(hex(key)).toBe(native(key));
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (key) => {
      expect(hex(key)).toBe(native(key));
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (key) => {
      expect(hex(key)).toBe(native(key));
    }),
  );
});
