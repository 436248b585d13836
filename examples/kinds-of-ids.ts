// The ids of other systems, a layout of one's own, and an id that finds its shard.
import {
  decodeObjectId,
  idGenerator,
  idJson,
  idLayout,
  instagramLayout,
  layoutTable,
  objectIds,
  shardedIdGenerator,
  shardedIdSlots,
  shardedLayout,
  simpleKeyLayout,
} from "tenfold/identifiers";
import { evenSlotMap, finerSlotMap, slotAmong, slotOf } from "tenfold/partitioning";
import { systemRandom } from "tenfold/runtime";

const now = Date.UTC(2026, 5, 1);

// Published ids, read back.
const { shard, sequence } = instagramLayout.decode(11637205501278089n);
console.log(`Instagram: shard ${shard}, sequence ${sequence}`);
const simple = simpleKeyLayout.decode(6_209_324_585_984n);
console.log(`simple key: ${new Date(simple.timeMs).toISOString()}, number ${simple.sequence}`);
const object = objectIds({ random: systemRandom }).next(now);
console.log(
  `ObjectID: ${object.length} digits, of ${new Date(decodeObjectId(object).timeMs).toISOString()}`,
);

// A layout of one's own is checked, and says what it can carry.
const orders = idLayout({
  name: "own",
  epochMs: Date.UTC(2026, 0, 1),
  unitMs: 10,
  bits: { time: 39, worker: 12, sequence: 12 },
});
console.log(layoutTable([orders]).trimEnd().replace(/ {2,}/g, " | "));
const order = idGenerator(orders, { fields: { worker: 7 } }).next(now);
const [from, to] = [orders.firstIdAt(now), orders.lastIdAt(now + 1_000)];
console.log(`made within that second: ${from <= order && order <= to}`);

// In JSON all 64 bits stay.
const json = idJson({ ids: ["order"] });
const { order: read } = json.parse(json.stringify({ order })) as { order: bigint };
console.log(`the same after JSON: ${read === order}`);

// The id alone finds the row of its owner, before and after slots are doubled.
const layout = shardedLayout();
const ids = shardedIdGenerator(layout, { fields: { worker: 1 } });
const owner = "user:42";
const mail = ids.next(slotOf(owner, shardedIdSlots), now);
const few = evenSlotMap(["db-0", "db-1"]);
for (const map of [few, finerSlotMap(few, 8192)]) {
  const shard = map.shardOf(slotAmong(layout.decode(mail).slot, shardedIdSlots, map.slots));
  console.log(`${map.slots} slots: found on ${shard}, its owner is on ${map.shardOfKey(owner)}`);
}

// Prints:
// Instagram: shard 1341, sequence 905
// simple key: 2018-01-14T16:46:25.000Z, number 1024
// ObjectID: 24 digits, of 2026-06-01T00:00:00.000Z
// layout | bits | from | until | ids/s | makers | exact as number until
// own | time 39 · worker 12 · sequence 12 | 2026-01-01 | 2200-03-19 | 409,600 | 4,096 | 2026-03-04
// made within that second: true
// the same after JSON: true
// 1024 slots: found on db-1, its owner is on db-1
// 8192 slots: found on db-1, its owner is on db-1
