import { shardedIdGenerator, shardedIdSlots, shardedLayout } from "tenfold/identifiers";
import {
  evenSlotMap,
  finerSlotMap,
  rebalancedSlotMap,
  type SlotMap,
  slotAmong,
  slotOf,
} from "tenfold/partitioning";

import { defineExperiment } from "./support/experiment.ts";

const owners = 100_000;
const idsPerOwner = 3;
const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `db-${i}`);

/** Rows are stored by their owner and looked up by their id alone, while the placement grows. */
export const experiment = defineExperiment({
  id: "R34",
  title: "the id alone finds the shard that holds the row",
  claim:
    "An id tells the shard of its owner through every move of slots and through doubling them " +
    "from 1,024 to 8,192; no id changes.",
  expectedMinutes: 0.1,
  run(lab) {
    const layout = shardedLayout();
    const ids = shardedIdGenerator(layout, { fields: { worker: 1 } });
    const wallMs = Date.now();
    const rows = Array.from({ length: owners * idsPerOwner }, (_, row) => {
      const owner = BigInt(row % owners);
      return { owner, id: ids.next(slotOf(owner, shardedIdSlots), wallMs) };
    });
    const shardOfId = (map: SlotMap, id: bigint): string => {
      const { slot } = layout.decode(id);
      return map.shardOf(slotAmong(slot, shardedIdSlots, map.slots));
    };
    const two = evenSlotMap(names(2));
    const placements: Record<string, SlotMap> = { "2 shards": two };
    placements["3 shards"] = rebalancedSlotMap(two, names(3));
    placements["3 shards, 2,048 slots"] = finerSlotMap(placements["3 shards"], 2_048);
    placements["7 shards, 8,192 slots"] = rebalancedSlotMap(
      finerSlotMap(placements["3 shards, 2,048 slots"], 8_192),
      names(7),
    );
    for (const [name, map] of Object.entries(placements)) {
      const strays = rows.filter(({ owner, id }) => shardOfId(map, id) !== map.shardOfKey(owner));
      lab.figure({
        name: `rows that their id does not find, of ${rows.length}: ${name}`,
        value: strays.length,
        unit: "",
        goal: { equals: 0 },
      });
    }
    const began = performance.now();
    const last = placements["7 shards, 8,192 slots"] as SlotMap;
    for (const { id } of rows) shardOfId(last, id);
    lab.figure({
      name: "look-ups a second, from the id to the shard",
      value: (rows.length * 1_000) / (performance.now() - began),
      unit: "look-ups/s",
    });
    lab.figure({
      name: "different ids",
      value: new Set(rows.map(({ id }) => id)).size,
      unit: "",
      goal: { equals: rows.length },
    });
    return Promise.resolve();
  },
});
