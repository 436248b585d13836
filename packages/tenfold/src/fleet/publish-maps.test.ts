import { expect, test } from "vitest";

import { encodeSlotMap, evenSlotMap } from "../partitioning/slot-map.ts";
import { refuseOtherPlacement } from "./publish-maps.ts";

const map = (shards: readonly string[], slots: number) => encodeSlotMap(evenSlotMap(shards, slots));

test("a fleet file that names other shards or slots than the data is refused", () => {
  const kept = map(["posts-0", "posts-1"], 64);
  expect(() => refuseOtherPlacement("posts", kept, map(["posts-0", "posts-1"], 64))).not.toThrow();
  for (const wanted of [map(["posts-0"], 64), map(["posts-0", "posts-1"], 128)]) {
    expect(() => refuseOtherPlacement("posts", kept, wanted)).toThrow(
      /64 slots on posts-0, posts-1/,
    );
  }
});
