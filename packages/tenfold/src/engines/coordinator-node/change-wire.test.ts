import { expect, test } from "vitest";

import { encodeDelete, encodePut } from "./change-wire.ts";

test("what the history keeps of a change keeps nothing else with it", () => {
  const [key, value] = [Buffer.from("a"), Buffer.from("b")];
  const entry = { key, value, createRevision: 1n, modRevision: 1n, version: 1n, lease: 0n };
  for (const wire of [encodePut(entry), encodeDelete(key, 2n)]) {
    expect(wire.buffer.byteLength).toBe(wire.length);
  }
});
