import fc from "fast-check";
import { expect, test } from "vitest";

import { decodeTopology, encodeTopology, type Topology } from "./topology.ts";

const anyTopology = fc
  .record({
    version: fc.integer({ min: 1 }),
    epoch: fc.integer({ min: 1 }),
    nodes: fc.uniqueArray(
      fc.record({
        id: fc.string({ minLength: 1 }),
        address: fc.string({ minLength: 1 }),
        port: fc.integer({ min: 1, max: 65_535 }),
      }),
      { minLength: 1, maxLength: 6, selector: ({ id }) => id },
    ),
  })
  .map(({ version, epoch, nodes: [primary, ...standbys] }): Topology => {
    return { version, epoch, primary: primary as Topology["primary"], standbys };
  });

test("JSON keeps a topology", () => {
  fc.assert(
    fc.property(anyTopology, (topology) => {
      expect(decodeTopology(encodeTopology(topology))).toEqual(topology);
    }),
  );
});

const node = { id: "pg-posts-0-1", address: "127.0.0.1", port: 18_500 };
const good = { format: 1, version: 1, epoch: 1, primary: node, standbys: [] };

test.each([
  ["no JSON", "{"],
  ["null", "null"],
  ["epoch 0", { ...good, epoch: 0 }],
  ["a version in words", { ...good, version: "1" }],
  ["no primary", { ...good, primary: undefined }],
  ["a port of 0", { ...good, primary: { ...node, port: 0 } }],
  ["standbys that are no list", { ...good, standbys: {} }],
  ["a server twice", { ...good, standbys: [node] }],
])("%s is refused", (_, value) => {
  const json = typeof value === "string" ? value : JSON.stringify(value);
  expect(() => decodeTopology(json)).toThrow(
    expect.objectContaining({ code: expect.stringMatching(/^TENFOLD_REPLICATION_/) }),
  );
});

test("an entry that a later version wrote is refused", () => {
  expect(() => decodeTopology(JSON.stringify({ ...good, format: 2 }))).toThrow(
    expect.objectContaining({ code: "TENFOLD_REPLICATION_FORMAT_UNKNOWN" }),
  );
});
