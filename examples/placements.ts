// Where each key lives, what moves when it grows, and what is refused.
import {
  compositeMap,
  evenSlotMap,
  movementBetween,
  placementOf,
  rebalancedSlotMap,
} from "tenfold/partitioning";
import { isTenfoldError } from "tenfold/runtime";

// 1,024 slots on two shards; a third gets its share, and nothing else moves.
const now = evenSlotMap(["posts-0", "posts-1"]);
const next = rebalancedSlotMap(now, ["posts-0", "posts-1", "posts-2"]);
const { share = 0, moves } = movementBetween(now, next);
console.log(`user:42 lives on ${now.shardOfKey("user:42")}`);
console.log(`${(share * 100).toFixed(1)} % of the keys move, all to ${moves[0]?.to}`);

// A table of ranges as it stands in the coordinator; the end -1 is open.
const users = placementOf(`{ "format": 1, "kind": "range", "version": 1, "rows": [
  { "start": 0, "end": 1000, "shard": "users-1" },
  { "start": 1000, "end": 2000, "shard": "users-2" },
  { "start": 2000, "end": 3500, "shard": "users-3" },
  { "start": 3500, "end": -1, "shard": "users-4" }]}`);
console.log([999n, 1000n, 1_000_000n].map((id) => users.shardOfKey(id)).join(" "));
try {
  placementOf(`{ "format": 1, "kind": "range", "version": 2, "rows": [
    { "start": 0, "end": 1000, "shard": "users-1" },
    { "start": 1001, "end": -1, "shard": "users-2" }]}`);
} catch (error) {
  if (!isTenfoldError(error)) throw error;
  console.log(`${error.details.problem}: ${JSON.stringify(error.details.rows)}`);
}

// Tenants by range, hashed within: large ones have shards of their own.
const tenants = compositeMap({
  version: 1,
  separator: "/",
  outer: placementOf(`{ "format": 1, "kind": "range", "version": 1, "rows": [
    { "start": 0, "end": 100, "shard": "small" }, { "start": 100, "end": -1, "shard": "large" }]}`),
  inside: new Map([
    ["small", evenSlotMap(["small-0"])],
    ["large", evenSlotMap(["large-0", "large-1", "large-2"])],
  ]),
});
console.log(["7/invoice-1", "207/invoice-1"].map((key) => tenants.shardOfKey(key)).join(" "));

// Prints:
// user:42 lives on posts-1
// 33.3 % of the keys move, all to posts-2
// users-1 users-2 users-4
// gap: [{"start":"0","end":"1000","shard":"users-1"},{"start":"1001","end":-1,"shard":"users-2"}]
// small-0 large-0
