import type { PlacementState } from "../../cli/src/console/console-state.ts";

const colors = 8;

/** The colour class of each shard of a store, the same in the strip and in the picture. */
export function shardColors({ ranges }: PlacementState): ReadonlyMap<string, string> {
  const shards = [...new Set(ranges.map(({ shard }) => shard))].sort();
  return new Map(shards.map((shard, index) => [shard, `shard-${index % colors}`]));
}
