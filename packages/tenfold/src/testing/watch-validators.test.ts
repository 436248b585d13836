import { expect, test } from "vitest";

import type { Entry, EntryChange, WatchBatch } from "../coordination/coordinator.ts";
import { type RevisedChange, watchBuffer } from "../coordination/watch-buffer.ts";
import { seededRandom } from "../runtime/random.ts";
import { type WatchRule, type WrittenRevision, watchFaults } from "./watch-validators.ts";

const entry = (key: string, value: string, revision: bigint, createRevision = revision): Entry =>
  ({ key, value, revision, createRevision, sessionId: undefined }) as Entry;
const put = (...args: Parameters<typeof entry>): EntryChange => ({
  kind: "put",
  entry: entry(...args),
});
const gone = (key: string): EntryChange => ({ kind: "delete", key });
const snapshot = (revision: bigint, entries: Entry[], changes?: EntryChange[]): WatchBatch => ({
  kind: "snapshot",
  revision,
  entries,
  changes: changes ?? entries.map((one) => ({ kind: "put", entry: one })),
});
const delta = (revision: bigint, ...changes: EntryChange[]): WatchBatch => ({
  kind: "delta",
  revision,
  entries: [],
  changes,
});

const written: readonly WrittenRevision[] = [
  { revision: 2n, changes: [{ key: "m/a", value: "1" }] },
  {
    revision: 5n,
    changes: [
      { key: "m/a", value: "2" },
      { key: "m/b", value: "2" },
    ],
  },
  {
    revision: 6n,
    changes: [
      { key: "m/b", value: undefined },
      { key: "n", value: "2" },
    ],
  },
  { revision: 8n, changes: [{ key: "m/b", value: "3" }] },
];
const first = snapshot(3n, [entry("m/a", "1", 2n)]);
const five = delta(5n, put("m/a", "2", 5n, 2n), put("m/b", "2", 5n));
const six = delta(6n, gone("m/b"));
const eight = delta(8n, put("m/b", "3", 8n));

function rules(...batches: readonly WatchBatch[]): WatchRule[] {
  const found = watchFaults("m/", written, batches).map(({ rule }) => rule);
  return [...new Set(found)].sort();
}

test("what was written, told as it was or merged, has no fault", () => {
  expect(rules(first, five, six, eight)).toEqual([]);
  expect(rules(first, delta(8n, put("m/a", "2", 5n, 2n), put("m/b", "3", 8n)))).toEqual([]);
  const again = snapshot(7n, [entry("m/a", "2", 5n, 2n)], [put("m/a", "2", 5n, 2n)]);
  expect(rules(first, again, eight)).toEqual([]);
});

const faulty: Record<WatchRule, readonly WatchBatch[]> = {
  ordered: [first, five, delta(4n), six, eight],
  unique: [first, five, delta(5n, put("m/b", "2", 5n)), six, eight],
  atomic: [first, delta(5n, put("m/a", "2", 5n, 2n)), five, six, eight],
  reliable: [first, five, six, delta(8n)],
  resumable: [first, delta(6n), eight],
  progress: [first, delta(6n), delta(6n, put("m/a", "2", 5n, 2n)), eight],
  previous: [first, five, snapshot(6n, [entry("m/a", "2", 5n, 2n)], []), eight],
  created: [first, five, six, delta(8n, put("m/b", "3", 8n, 5n))],
  filter: [first, five, delta(6n, gone("m/b"), put("n", "2", 6n)), eight],
};

test.each(Object.entries(faulty))("finds what is not %s", (rule, batches) => {
  expect(rules(...batches)).toContain(rule);
});

test("a change told later than its batch says, or before it was made, is no honest progress", () => {
  expect(rules(...faulty.progress)).toEqual(["progress"]);
  const early = delta(5n, put("m/a", "2", 5n, 2n), put("m/b", "3", 8n));
  expect(rules(first, early, delta(8n))).toContain("progress");
});

test("whatever a watch buffer merges has no fault", () => {
  const random = seededRandom("merging");
  const buffer = watchBuffer();
  const all: WrittenRevision[] = [];
  const batches: WatchBatch[] = [];
  const made = new Map<string, bigint>();
  buffer.snapshot({ entries: [], revision: 1n });
  for (let revision = 2n; revision < 500n; revision++) {
    const keys = ["a", "b", "c", "d"].filter(() => random.below(3) === 0);
    const changes = keys.map((name) => {
      const value = random.below(3) === 0 ? undefined : `${revision}`;
      return { key: `m/${name}`, value };
    });
    all.push({ revision, changes });
    buffer.delta(
      changes.flatMap(({ key, value }): RevisedChange[] => {
        if (value === undefined) return made.delete(key) ? [{ kind: "delete", key, revision }] : [];
        if (!made.has(key)) made.set(key, revision);
        return [{ kind: "put", entry: entry(key, value, revision, made.get(key)), revision }];
      }),
    );
    if (random.below(4) === 0) batches.push(...[buffer.take()].flatMap((one) => one ?? []));
  }
  batches.push(...[buffer.take()].flatMap((one) => one ?? []));
  expect(watchFaults("m/", all, batches)).toEqual([]);
  expect(batches.length).toBeGreaterThan(50);
});
