import { encodeSlotMap, evenSlotMap } from "tenfold/partitioning";
import { silentLog } from "tenfold/runtime";
import { expect, test } from "vitest";

import { placementReader } from "./placement-reader.ts";

const json = (version: number, ...shards: string[]): string =>
  encodeSlotMap({ ...evenSlotMap(shards, 8), version });

test("what the fleet would not use leaves the store's last good placement", () => {
  const read = placementReader(silentLog);
  expect(() => read("{", "db")).toThrow();
  const good = read(json(2, "a", "b"), "db");
  for (const bad of ["", "{}", json(1, "a"), json(3, "a").replace('"last":7', '"last":6')]) {
    expect(read(bad, "db")).toBe(good);
  }
  expect(read(json(1, "c"), "other").shards).toEqual(["c"]);
  expect(read(json(3, "a"), "db").version).toBe(3);
});
