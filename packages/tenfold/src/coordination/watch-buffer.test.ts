import fc from "fast-check";
import { expect, test } from "vitest";

import type { Entry } from "./coordinator.ts";
import { fencingToken } from "./fencing-token.ts";
import { type RevisedChange, watchBuffer } from "./watch-buffer.ts";

const entry = (key: string, revision: bigint, createRevision = revision): Entry => ({
  key,
  value: `${key}@${revision}`,
  createRevision,
  revision,
  sessionId: undefined,
  token: fencingToken(0, createRevision),
});
const put = (key: string, revision: bigint): RevisedChange => ({
  kind: "put",
  entry: entry(key, revision),
  revision,
});
const gone = (key: string, revision: bigint): RevisedChange => ({ kind: "delete", key, revision });

test("the first batch is a snapshot, even of an empty map", () => {
  const buffer = watchBuffer();
  expect(buffer.take()).toBeUndefined();
  buffer.snapshot({ entries: [], revision: 5n });
  expect(buffer.take()).toEqual({ kind: "snapshot", revision: 5n, entries: [], changes: [] });
  expect(buffer.take()).toBeUndefined();
});

test("a key made and removed before the reader looked was never there", () => {
  const buffer = watchBuffer();
  buffer.snapshot({ entries: [], revision: 5n });
  buffer.take();
  buffer.delta([put("a", 6n), gone("a", 7n)]);
  expect(buffer.take()).toBeUndefined();
});

test("the same revision in a later generation is another entry", () => {
  const buffer = watchBuffer();
  buffer.snapshot({ entries: [entry("a", 12n)], revision: 12n });
  buffer.take();
  const restored = { ...entry("a", 12n), value: "other", token: fencingToken(1, 12n) };
  buffer.snapshot({ entries: [restored], revision: 12n });
  expect(buffer.take()).toMatchObject({
    entries: [restored],
    changes: [{ kind: "put", entry: restored }],
  });
});

test("a snapshot after a gap carries the difference to what was told", () => {
  const buffer = watchBuffer();
  buffer.snapshot({ entries: [entry("a", 1n), entry("b", 2n)], revision: 2n });
  buffer.take();
  buffer.snapshot({ entries: [entry("b", 9n), entry("c", 8n)], revision: 9n });
  const batch = buffer.take();
  expect(batch?.kind).toBe("snapshot");
  expect(batch?.entries.map((one) => one.key)).toEqual(["b", "c"]);
  expect(batch?.changes).toContainEqual({ kind: "delete", key: "a" });
  expect(batch?.changes).toHaveLength(3);
});

test("what was told already is passed over, so nothing goes back in time", () => {
  const buffer = watchBuffer();
  buffer.snapshot({ entries: [entry("a", 5n)], revision: 6n });
  buffer.take();
  buffer.delta([put("a", 4n), put("b", 6n)]);
  expect(buffer.take()).toBeUndefined();
});

test("any history read at any pace ends in the server's last state", () => {
  const step = fc.record({
    key: fc.constantFrom("a", "b", "c", "d"),
    does: fc.constantFrom("put", "delete", "snapshot", "take"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const buffer = watchBuffer();
      const server = new Map<string, Entry>();
      const reader = new Map<string, string>();
      const listing = () => ({ entries: [...server.values()], revision });
      const read = (): void => {
        for (const change of buffer.take()?.changes ?? []) {
          if (change.kind === "put") reader.set(change.entry.key, change.entry.value);
          else expect(reader.delete(change.key)).toBe(true);
        }
      };
      let revision = 1n;
      buffer.snapshot(listing());
      for (const { key, does } of steps) {
        if (does === "take") read();
        else if (does === "snapshot") buffer.snapshot(listing());
        else {
          revision++;
          if (does === "put") server.set(key, entry(key, revision));
          else server.delete(key);
          buffer.delta([does === "put" ? put(key, revision) : gone(key, revision)]);
        }
      }
      read();
      const values = [...server.values()].map((one): [string, string] => [one.key, one.value]);
      expect(new Map(reader)).toEqual(new Map(values));
    }),
  );
});
