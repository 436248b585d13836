import fc from "fast-check";
import { expect, test } from "vitest";

import {
  type DirectoryEntry,
  decodeDirectoryEntry,
  encodeDirectoryEntry,
  keyStates,
  type MoveStep,
  steppedEntry,
} from "./directory-entry.ts";

const start: DirectoryEntry = { key: "42", shard: "a", epoch: 0, state: "active" };
const steps: readonly MoveStep[] = [
  { kind: "copy", to: "b" },
  { kind: "catch-up" },
  { kind: "fence" },
  { kind: "commit" },
];

test("a move goes through all its states, and its end alone changes shard and epoch", () => {
  let entry = start;
  const seen = steps.map((step) => {
    entry = steppedEntry(entry, step);
    return [entry.state, entry.shard, entry.epoch, entry.to];
  });
  expect(seen).toEqual([
    ["copying", "a", 0, "b"],
    ["catching-up", "a", 0, "b"],
    ["fenced", "a", 0, "b"],
    ["active", "b", 1, undefined],
  ]);
});

test("every state allows its own steps and no other", () => {
  const kinds = ["copy", "catch-up", "fence", "commit", "cancel"] as const;
  const allowed = keyStates.map((state) => {
    const moving = state === "active" || state === "forwarded" ? {} : { to: "b" };
    const entry: DirectoryEntry = { ...start, state, ...moving };
    return kinds.filter((kind) => {
      try {
        steppedEntry(entry, kind === "copy" ? { kind, to: "b" } : { kind });
        return true;
      } catch {
        return false;
      }
    });
  });
  expect(allowed).toEqual([
    ["copy"],
    ["catch-up", "cancel"],
    ["fence", "cancel"],
    ["commit", "cancel"],
    [],
  ]);
});

test("whatever steps are tried, an epoch has one shard, and refused steps change nothing", () => {
  const step = fc.constantFrom<MoveStep>(
    ...steps,
    { kind: "copy", to: "a" },
    { kind: "copy", to: "c" },
    { kind: "cancel" },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (tried) => {
      let entry = start;
      const shardOfEpoch = new Map([[0, "a"]]);
      for (const each of tried) {
        try {
          entry = steppedEntry(entry, each);
        } catch (error) {
          expect(error).toMatchObject({ code: "TENFOLD_PARTITIONING_MOVE_INVALID" });
          continue;
        }
        const shard = shardOfEpoch.get(entry.epoch) ?? entry.shard;
        expect(entry.shard).toBe(shard);
        shardOfEpoch.set(entry.epoch, shard);
        expect(decodeDirectoryEntry(encodeDirectoryEntry(entry))).toEqual(entry);
      }
    }),
  );
});

test.each([
  ["FORMAT_UNKNOWN", '{"format":2}'],
  ["FORMAT_UNKNOWN", "null"],
  ["PLACEMENT_INVALID", "{"],
  ["PLACEMENT_INVALID", '{"format":1,"key":"k","shard":"","epoch":1,"state":"active"}'],
])("%s: %s", (code, json) => {
  expect(() => decodeDirectoryEntry(json)).toThrow(
    expect.objectContaining({ code: `TENFOLD_PARTITIONING_${code}` }),
  );
});
