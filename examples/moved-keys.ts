// Single keys that live apart, growth by doubling, and keys in the order of time.
import {
  directory,
  directoryClient,
  doubledModularMap,
  evenSlotMap,
  keyOrder,
  listMap,
  movementBetween,
  preSharded,
  reversedBits,
  shardGuard,
} from "tenfold/partitioning";

// A celebrity moves to a shard of its own, step by step; only such exceptions take room.
const base = evenSlotMap(["posts-0", "posts-1"]);
const all = directory({ base: () => base });
const home = base.shardOfKey("celebrity");
const guards = new Map(
  ["posts-0", "posts-1", "alone"].map((shard) => [shard, shardGuard({ shard, base: () => base })]),
);
for (const step of [
  { kind: "copy", to: "alone" },
  { kind: "catch-up" },
  { kind: "fence" },
  { kind: "commit" },
] as const) {
  const entry = all.step("celebrity", step);
  for (const guard of guards.values()) guard.apply(entry);
  console.log(`${entry.state} on ${entry.shard}`);
}

// A client that never heard of it goes to the default place, is told, and pays one hop, once:
// no directory is asked.
const client = directoryClient({ base: () => base });
for (let call = 1; call <= 2; call++) {
  let { shard, epoch } = client.route("celebrity");
  let hops = 0;
  for (;;) {
    const answer = guards.get(shard)?.check("celebrity", epoch);
    if (answer?.kind !== "elsewhere") break;
    client.learn(answer.entry);
    ({ shard, epoch } = answer.entry);
    hops += 1;
  }
  console.log(`call ${call}: served by ${shard} after ${hops} hops (default ${home})`);
}

// Buckets handed out in advance: a third machine takes whole ones; doubling moves a half.
const two = preSharded(["db-0", "db-1"], 8, "value");
const siblings = two.buckets.map((shard) => `${shard}-sibling`);
const four = doubledModularMap(two, siblings);
console.log(`doubling moves ${(movementBetween(two, four).share ?? 0) * 100} %`);

// Names, one by one.
const regions = listMap({ version: 1, rows: [{ value: "eu", shard: "db-eu" }] });
console.log(`eu is on ${regions.shardOfKey("eu")}`);

// Ids that grow with time would all go to the last range; reversed bits do not.
const [plain, reversed] = [keyOrder(), keyOrder()];
for (let id = 1n; id <= 3_000n; id++) {
  plain.note(id << 22n);
  reversed.note(reversedBits(id << 22n));
}
console.log(`in the order of time: ${plain.timeOrdered}, reversed: ${reversed.timeOrdered}`);

// Prints:
// copying on posts-0
// catching-up on posts-0
// fenced on posts-0
// active on alone
// call 1: served by alone after 1 hops (default posts-0)
// call 2: served by alone after 0 hops (default posts-0)
// doubling moves 50 %
// eu is on db-eu
// in the order of time: true, reversed: false
