import fc from "fast-check";
import { expect, test } from "vitest";

import { decodeGrpcMessage, encodeGrpcMessage, frameReader, grpcFrame } from "./grpc-frame.ts";

test("messages come out whole however the stream is cut", () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
  fc.assert(
    fc.property(messages, fc.infiniteStream(fc.integer({ min: 1, max: 30 })), (sent, sizes) => {
      const stream = Buffer.concat(sent.map((part) => grpcFrame(part)));
      const reader = frameReader(40);
      const received: Uint8Array[] = [];
      for (let at = 0; at < stream.length; ) {
        const size = sizes.next().value as number;
        received.push(...reader.push(stream.subarray(at, at + size)));
        at += size;
      }
      expect(received.map((one) => [...one])).toEqual(sent.map((one) => [...one]));
      expect(reader.waitingBytes).toBe(0);
    }),
  );
});

test("a message over the limit is refused by its head, a compressed one by its flag", () => {
  const head = grpcFrame(new Uint8Array(41)).subarray(0, 5);
  expect(() => frameReader(40).push(head)).toThrow(expect.objectContaining({ fault: "too-large" }));
  const compressed = Buffer.from([1, 0, 0, 0, 0]);
  expect(() => frameReader(40).push(compressed)).toThrow(
    expect.objectContaining({ fault: "compressed" }),
  );
});

test("a status text survives the header", () => {
  const text = "etcdserver: mvcc: größer als 100 %\n";
  const header = encodeGrpcMessage(text);
  expect(header).toMatch(/^[\x20-\x7e]*$/);
  expect(header).toContain("etcdserver: mvcc: ");
  expect(decodeGrpcMessage(header)).toBe(text);
  expect(decodeGrpcMessage("broken %zz")).toBe("broken %zz");
});
