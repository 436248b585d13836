import fc from "fast-check";
import { expect, test } from "vitest";

import { keyValue, putRequest, rangeRequest, txnRequest, watchCreateRequest } from "./messages.ts";
import { bool, bytes, decode, encode, int32, int64, message, string, uint64 } from "./protobuf.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test("writes the bytes that protoc writes", () => {
  // protoc --encode=etcdserverpb.PutRequest <<< 'key: "a" value: "bc" lease: 300 prev_kv: true'
  const put = { key: text("a"), value: text("bc"), lease: 300n, prevKv: true };
  expect(hex(encode(putRequest, put))).toBe("0a0161" + "12026263" + "18ac02" + "2001");
  // A negative int64 takes ten bytes.
  expect(hex(encode(keyValue, { lease: -1n }))).toBe("30ffffffffffffffffff01");
  expect(hex(encode(watchCreateRequest, { filters: [0, 1] }))).toBe("2a020001");
});

test("defaults are not written: an empty range_end would mean to the end", () => {
  const empty = new Uint8Array(0);
  const request = { key: text("a"), rangeEnd: empty, limit: 0n, serializable: false };
  expect(hex(encode(rangeRequest, request))).toBe("0a0161");
  // A member of a oneof is written although it is empty: its presence says which was meant.
  expect(hex(encode(txnRequest, { success: [{ range: {} }] }))).toBe("12020a00");
});

test("absent fields decode to their defaults, unknown ones are passed over", () => {
  const later = { ...{ x: string(20) }, ...{ y: uint64(21) }, name: string(1) } as const;
  const encoded = encode(later, { x: "new", y: 7n, name: "old" });
  const known = { name: string(1), count: int64(2), on: bool(3), inner: message(4, {}) } as const;
  expect(decode(known, encoded)).toEqual({ name: "old", count: 0n, on: false, inner: undefined });
});

test("what is no such message is refused", () => {
  const fields = { name: string(1), count: int64(2) } as const;
  for (const bad of ["0a05", "0a0561", "10", "10ffffffffffffffffffffff01", "0801", "0b", "1500"]) {
    expect(() => decode(fields, Buffer.from(bad, "hex")), bad).toThrow(RangeError);
  }
});

test("any message is read back as it was written", () => {
  const inner = { n: int32(1), s: string(2) } as const;
  const outer = { a: int64(1), b: uint64(2), c: bool(3), inner: message(16, inner) } as const;
  const record = fc.record({
    a: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
    b: fc.bigInt(0n, 2n ** 64n - 1n),
    c: fc.boolean(),
    inner: fc.option(
      fc.record({
        n: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        s: fc.string({ unit: "grapheme" }),
      }),
      { nil: undefined },
    ),
  });
  fc.assert(
    fc.property(record, (value) => {
      expect(decode(outer, encode(outer, value))).toEqual(value);
    }),
  );
});

test("any bytes decode or are refused, and never anything else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        decode(txnRequest, bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("nested messages of any length keep their bytes", () => {
  const inner = { blob: bytes(1) } as const;
  const outer = { deep: message(1, { inner: message(2, inner), n: int64(3) } as const) } as const;
  for (const size of [0, 1, 124, 125, 126, 127, 128, 16_379, 16_384, 2_097_150, 2_097_152]) {
    const blob = new Uint8Array(size).fill(7);
    const value = { deep: { inner: { blob }, n: 300n } };
    const back = decode(outer, encode(outer, value));
    expect(back.deep?.inner?.blob.length).toBe(size);
    expect(Buffer.compare(back.deep?.inner?.blob ?? text("x"), blob)).toBe(0);
    expect(back.deep?.n).toBe(300n);
  }
});
