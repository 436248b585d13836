import { expect, test } from "vitest";

import { decodeSlotMap, encodeSlotMap, evenSlotMap } from "../partitioning/slot-map.ts";
import { nextPlacement } from "./publish-maps.ts";

const map = (shards: readonly string[], slots: number) => encodeSlotMap(evenSlotMap(shards, slots));
const kept = map(["posts-0", "posts-1", "posts-2"], 64);

test("a placement that is there stays, and the first one is the file's", () => {
  expect(nextPlacement("posts", undefined, kept)).toBe(kept);
  expect(nextPlacement("posts", kept, kept)).toBe(kept);
});

test("more slots in the file are the next version, and no key moves", () => {
  const [before, after] = [
    decodeSlotMap(kept),
    decodeSlotMap(nextPlacement("posts", kept, map(["posts-0", "posts-1", "posts-2"], 8192))),
  ];
  expect(after).toMatchObject({ version: 2, slots: 8192 });
  for (let user = 0n; user < 2_000n; user++) {
    expect(after.shardOfKey(user)).toBe(before.shardOfKey(user));
  }
});

test("a file that names other shards, or fewer slots, than the data is refused", () => {
  for (const wanted of [map(["posts-0"], 64), map(["posts-0", "posts-1", "posts-2"], 32)]) {
    expect(() => nextPlacement("posts", kept, wanted)).toThrow(
      expect.objectContaining({
        code: "TENFOLD_FLEET_STORE_CHANGED",
        message: expect.stringContaining("64 slots on posts-0, posts-1, posts-2"),
      }),
    );
  }
});
