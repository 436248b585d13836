import fc from "fast-check";
import { expect, test } from "vitest";

import { ConnectionError } from "./frames.ts";
import { encodeHeaders, headerDecoder, headerListBytesMax } from "./hpack.ts";
import { decodeHuffman } from "./huffman.ts";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");
const request = {
  ":method": "GET",
  ":scheme": "http",
  ":path": "/",
  ":authority": "www.example.com",
};

// RFC 7541, appendices C.3 and C.4: three requests that build upon each other.
test.each([
  [
    "plain",
    [
      "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "8286 84be 5808 6e6f 2d63 6163 6865",
      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ],
  ],
  [
    "in Huffman codes",
    [
      "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
      "8286 84be 5886 a8eb 1064 9cbf",
      "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ],
  ],
])("the RFC's requests, %s", (_, [first = "", second = "", third = ""]) => {
  const decoder = headerDecoder();
  expect(decoder.decode(hex(first))).toEqual(request);
  expect(decoder.decode(hex(second))).toEqual({ ...request, "cache-control": "no-cache" });
  expect(decoder.decode(hex(third))).toEqual({
    ...{ ...request, ":scheme": "https", ":path": "/index.html" },
    "custom-key": "custom-value",
  });
  // Known by heart, it must still depend on what came in between.
  expect(decoder.decode(hex("82 be"))).toEqual({ ":method": "GET", "custom-key": "custom-value" });
  expect(decoder.decode(hex("82 be"))).toEqual({ ":method": "GET", "custom-key": "custom-value" });
  decoder.decode(hex("40 01 61 01 62"));
  expect(decoder.decode(hex("82 be"))).toEqual({ ":method": "GET", a: "b" });
  decoder.decode(hex("20"));
  expect(() => decoder.decode(hex("82 be"))).toThrow(ConnectionError);
});

test("entries leave the table by its size", () => {
  const decoder = headerDecoder();
  const literal = (name: string, length: number): Buffer =>
    Buffer.concat([
      hex("40 01"),
      Buffer.from(name),
      hex("7f"),
      integer(length - 127),
      Buffer.alloc(length, "x"),
    ]);
  decoder.decode(literal("a", 3_000));
  decoder.decode(literal("b", 1_000));
  expect(decoder.decode(hex("bf"))?.a).toHaveLength(3_000);
  decoder.decode(literal("d", 200));
  expect(decoder.decode(hex("bf"))?.b).toHaveLength(1_000);
  expect(() => decoder.decode(hex("c0"))).toThrow("not there");
  expect(decoder.decode(hex("be"))?.d).toHaveLength(200);
  // Larger than the table: it is empty then.
  decoder.decode(literal("c", 5_000));
  expect(() => decoder.decode(hex("be"))).toThrow("not there");
});

function integer(value: number): Buffer {
  const bytes: number[] = [];
  for (; value > 127; value >>= 7) bytes.push((value & 127) | 128);
  return Buffer.from([...bytes, value]);
}

test.each([
  ["upper case", { ":method": "POST", Te: "trailers" }],
  ["of one connection", { connection: "close" }],
  ["te", { te: "gzip" }],
  ["pseudo after others", { a: "1", ":method": "POST" }],
  ["unknown pseudo", { ":status": "200" }],
  ["a line break", { a: "1\r\nb: 2" }],
  ["no name", { "": "1" }],
  ["too much", { a: "x".repeat(headerListBytesMax) }],
])("malformed: %s", (_, headers) => {
  const decoder = headerDecoder();
  expect(
    decoder.decode(encodeHeaders(headers as unknown as Record<string, string>)),
  ).toBeUndefined();
  expect(decoder.decode(hex("83"))).toEqual({ ":method": "POST" });
});

test.each([
  ["index 0", "80"],
  ["an index beyond the table", "ff 00"],
  ["a larger table", "3f e2 1f"],
  ["a table that changes late", "82 20"],
  ["a text beyond its block", "00 05 61"],
  ["a number without an end", "ff ff ff ff ff ff ff"],
  ["a block that ends", "00 01 61"],
  ["the end of string", "00 84 ff ff ff ff 00"],
  ["padding of zeros", "00 81 00 00"],
  ["padding of a byte", "00 82 1f ff 00"],
])("unreadable: %s", (_, block) => {
  expect(() => headerDecoder().decode(hex(block))).toThrow(ConnectionError);
});

test("any bytes are read or refused", () => {
  const blocks = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 });
  fc.assert(
    fc.property(blocks, (all) => {
      const decoder = headerDecoder();
      try {
        for (const block of all) decoder.decode(Buffer.from(block));
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error;
      }
    }),
    { numRuns: 2_000 },
  );
});

test("what is encoded is read again", () => {
  const name = fc.stringMatching(/^[a-z-]{1,300}$/);
  const value = fc.stringMatching(/^[\x20-\x7e]{0,400}$/);
  fc.assert(
    fc.property(fc.dictionary(name, value, { maxKeys: 8 }), (headers) => {
      delete headers.te;
      const read = headerDecoder().decode(encodeHeaders(headers));
      const names = ["connection", "keep-alive", "upgrade", "transfer-encoding"];
      if (names.some((one) => one in headers)) return;
      expect(read).toEqual({ ...headers });
    }),
  );
});

test("any bits are some text or refused", () => {
  const texts = fc.uint8Array({ minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(texts, (bytes) => {
      try {
        decodeHuffman(bytes);
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error;
      }
    }),
    { numRuns: 2_000 },
  );
});
