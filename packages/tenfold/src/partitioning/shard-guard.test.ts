import { describe, expect, test } from "vitest";

import type { DirectoryEntry, KeyState } from "./directory-entry.ts";
import { modularMap } from "./modular-map.ts";
import { shardGuard } from "./shard-guard.ts";

const base = modularMap({ version: 1, by: "value", buckets: ["a", "b"] });
const guardOfA = (...rows: DirectoryEntry[]) => {
  const guard = shardGuard({ shard: "a", base: () => base });
  for (const row of rows) guard.apply(row);
  return guard;
};
const entry = (key: string, shard: string, epoch: number, state: KeyState = "active") =>
  ({ key, shard, epoch, state, ...(state === "fenced" ? { to: "b" } : {}) }) as DirectoryEntry;

describe("a key that never moved", () => {
  test("is served at its default place, and sent there from elsewhere", () => {
    expect(guardOfA().check(2n, 0)).toEqual({ kind: "here" });
    expect(guardOfA().check("3", 0)).toEqual({ kind: "elsewhere", entry: entry("3", "b", 0) });
  });

  test("waits when the caller heard of a move that was not told here yet", () => {
    expect(guardOfA().check("2", 1)).toEqual({ kind: "wait" });
    expect(guardOfA().check("3", 1)).toEqual({ kind: "wait" });
  });
});

describe("a key that moved", () => {
  test.each<[string, DirectoryEntry, number, string]>([
    ["here, by its epoch", entry("3", "a", 2), 2, "here"],
    [
      "here, by an older epoch: the caller must learn the new one",
      entry("3", "a", 2),
      1,
      "elsewhere",
    ],
    ["here, by a newer epoch: its next move was not told yet", entry("3", "a", 2), 3, "wait"],
    ["here, being copied", entry("3", "a", 2, "copying"), 2, "here"],
    ["here, fenced", entry("2", "a", 0, "fenced"), 0, "wait"],
    ["away, by an older epoch", entry("2", "b", 1), 0, "elsewhere"],
    ["away, by its epoch", entry("2", "b", 1), 1, "elsewhere"],
    ["away, by a newer epoch: it may be on its way back", entry("2", "b", 1), 2, "wait"],
  ])("%s", (_name, row, epoch, kind) => {
    const answer = guardOfA(row).check(row.key, epoch);
    expect(answer.kind).toBe(kind);
    if (answer.kind === "elsewhere") {
      expect(answer.entry).toMatchObject({ shard: row.shard, epoch: row.epoch });
    }
  });

  test("leaves a forward row behind, and what is told late changes nothing", () => {
    const guard = guardOfA(entry("2", "b", 3), entry("2", "a", 2), entry("2", "a", 0, "fenced"));
    expect([...guard.rows()]).toEqual([entry("2", "b", 3, "forwarded")]);
  });
});

test("what it may know is bounded; a known key can still change", () => {
  const guard = shardGuard({ shard: "a", base: () => base, rowsMax: 1 });
  guard.apply(entry("2", "b", 1));
  guard.apply(entry("2", "a", 2));
  expect(() => guard.apply(entry("4", "b", 1))).toThrow(
    expect.objectContaining({ code: "TENFOLD_PARTITIONING_DIRECTORY_FULL" }),
  );
  expect(() => shardGuard({ shard: "a", base: () => base, rowsMax: 0 })).toThrow(/rowsMax/);
});
