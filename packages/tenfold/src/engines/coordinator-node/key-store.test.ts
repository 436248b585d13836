import fc from "fast-check";
import { expect, test } from "vitest";

import { keyRange, keyText } from "./key-range.ts";
import { type KeyStore, keyStore, type Revised } from "./key-store.ts";
import { coordinatorNodeLimits } from "./limits.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"));
const nothing = bytes("");

function newStore(limits: Partial<typeof coordinatorNodeLimits> = {}): KeyStore {
  return keyStore({ revision: 1n, entries: [] }, { ...coordinatorNodeLimits, ...limits });
}

function write(store: KeyStore, change: { put?: string; delete?: string }): Revised | undefined {
  const one = store.begin();
  if (change.put !== undefined) one.apply({ put: bytes(change.put), value: nothing, lease: 0n });
  if (change.delete !== undefined) one.apply({ delete: change.delete });
  return one.end();
}

const names = (store: KeyStore, from: string, to: string): string[] =>
  store.range(keyRange(bytes(from), bytes(to))).map((entry) => keyText(entry.key));

test("ranges: one key, up to an end, to the last", () => {
  const store = newStore();
  for (const put of ["b", "a", "c", "\xff", "ab"]) write(store, { put });
  expect(names(store, "a", "")).toEqual(["a"]);
  expect(names(store, "a", "b")).toEqual(["a", "ab"]);
  expect(names(store, "b", "\0")).toEqual(["b", "c", "\xff"]);
  expect(names(store, "c", "a")).toEqual([]);
  expect(names(store, "\0", "\0")).toHaveLength(5);
});

test("revisions, versions and the life of a key", () => {
  const store = newStore();
  write(store, { put: "a" });
  write(store, { put: "a" });
  expect(store.get("a")).toMatchObject({ createRevision: 2n, modRevision: 3n, version: 2n });
  expect(write(store, { delete: "nothing" })).toBeUndefined();
  expect(store.revision).toBe(3n);
  write(store, { delete: "a" });
  write(store, { put: "a" });
  expect(store.get("a")).toMatchObject({ createRevision: 5n, modRevision: 5n, version: 1n });
});

test("limits refuse with etcd's status, and a refused write leaves nothing", () => {
  const store = newStore({ keysMax: 1, keyBytesMax: 3, valueBytesMax: 2 });
  write(store, { put: "a" });
  const refuse = (put: string, value: string, status: number): void => {
    const one = store.begin();
    one.apply({ put: bytes("a"), value: bytes("x"), lease: 0n });
    expect(() => one.apply({ put: bytes(put), value: bytes(value), lease: 0n })).toThrow(
      expect.objectContaining({ status }),
    );
    one.undo();
    expect(store.get("a")).toMatchObject({ modRevision: 2n, value: nothing });
  };
  refuse("b", "", 8);
  refuse("long", "", 3);
  refuse("a", "big", 3);
  expect(store.revision).toBe(2n);
});

test("any writes undone or taken back leave the store as it was", () => {
  const change = fc.oneof(
    fc.record({ put: fc.constantFrom("a", "b", "c") }),
    fc.record({ delete: fc.constantFrom("a", "b", "c") }),
  );
  const all = (store: KeyStore) => ({
    revision: store.revision,
    entries: store.range({ start: "", end: undefined }),
  });
  fc.assert(
    fc.property(fc.array(change), fc.array(change), (before, after) => {
      const store = newStore();
      for (const one of before) write(store, one);
      const was = all(store);
      const undone = store.begin();
      for (const one of after) {
        undone.apply("put" in one ? { put: bytes(one.put), value: nothing, lease: 0n } : one);
      }
      undone.undo();
      expect(all(store)).toEqual(was);
      const revised = after.flatMap((one) => write(store, one) ?? []);
      for (const one of revised.reverse()) store.takeBack(one);
      expect(all(store)).toEqual(was);
    }),
  );
});
