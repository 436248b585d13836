import {
  doubledModularMap,
  evenSlotMap,
  finerSlotMap,
  type ModularMap,
  modularMap,
  movedShare,
  movementBetween,
  preSharded,
  rebalancedSlotMap,
  type SlotMap,
  slotAmong,
  slotOf,
} from "tenfold/partitioning";

import { defineExperiment, type Lab } from "./support/experiment.ts";

const keys = Array.from({ length: 120_000 }, (_, i) => BigInt(i));
const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `db-${i}`);
const modular = (count: number): ModularMap =>
  modularMap({ version: 1, by: "value", buckets: names(count) });

/** How many keys move when machines are added: by remainder, by doubling, and with pre-sharding. */
export const experiment = defineExperiment({
  id: "R27",
  title: "placement by remainder, and how it grows",
  claim:
    "Remainders move two of three keys from 2 to 3 and half from 2 to 4, each to its sibling; " +
    "1,024 slots move the least possible at any growth, and double without moving a key.",
  expectedMinutes: 0.1,
  run(lab) {
    remainders(lab);
    stepByStep(lab);
    doubledSlots(lab);
    return Promise.resolve();
  },
});

function remainders({ figure, plot }: Lab): void {
  const two = modular(2);
  const four = doubledModularMap(two, ["db-2", "db-3"]);
  const slots = evenSlotMap(names(2));
  const shares = {
    "remainder, 2 to 3": movedShare(two, modular(3), keys),
    "remainder, 2 to 4": movedShare(two, four, keys),
    "slots, 2 to 3": movedShare(slots, rebalancedSlotMap(slots, names(3)), keys),
    "slots, 2 to 4": movedShare(slots, rebalancedSlotMap(slots, names(4)), keys),
  };
  const percent = (name: keyof typeof shares): number => shares[name] * 100;
  const moved = (name: keyof typeof shares, goal: { equals: number } | { atMost: number }): void =>
    figure({ name: `keys moved, ${name}`, value: percent(name), unit: "%", goal });
  moved("remainder, 2 to 3", { equals: (2 / 3) * 100 });
  moved("remainder, 2 to 4", { equals: 50 });
  moved("slots, 2 to 3", { atMost: 34 });
  moved("slots, 2 to 4", { atMost: 51 });
  const strays = keys.filter((key) => {
    const [before, after] = [two.bucketOf(key), four.bucketOf(key)];
    return after !== before && after !== before + 2;
  });
  figure({
    name: "keys that went elsewhere than to i + n",
    value: strays.length,
    unit: "",
    goal: { equals: 0 },
  });
  plot({
    kind: "bar",
    name: "movement",
    title: "Keys that move when machines are added",
    y: { label: "percent of all keys" },
    bars: Object.entries(shares).map(([name, share]) => ({ name, value: share * 100 })),
  });
}

/** One machine more, again and again. */
function stepByStep({ figure, plot }: Lab): void {
  const counts = Array.from({ length: 11 }, (_, i) => i + 2);
  const byRemainder: [number, number][] = [];
  const bySlots: [number, number][] = [];
  let slots: SlotMap = evenSlotMap(names(1));
  let excess = 0;
  let worst = 1;
  for (const count of counts) {
    const grown = rebalancedSlotMap(slots, names(count));
    const share = movementBetween(slots, grown).share as number;
    byRemainder.push([count, movedShare(modular(count - 1), modular(count), keys) * 100]);
    bySlots.push([count, share * 100]);
    // A share of a slot cannot move, so the least possible is a whole number of slots.
    excess = Math.max(excess, share * 1024 - Math.ceil(1024 / count));
    slots = grown;
    worst = Math.max(worst, busiestBesideMean(slots));
  }
  figure({
    name: "slots moved beyond the least, 1 to 12 machines",
    value: excess,
    unit: "",
    goal: { atMost: 0 },
  });
  figure({
    name: "slots on the fullest machine beside the mean",
    value: worst,
    unit: "",
    goal: { atMost: 1.02 },
  });
  const buckets = preSharded(names(4));
  const grown = modularMap({
    version: 2,
    by: "hash",
    buckets: buckets.buckets.map((shard, i) => (i % 5 === 4 ? "db-4" : shard)),
  });
  const handedOver = movementBetween(buckets, grown).share as number;
  figure({
    name: "pre-sharded remainder, 4 to 5 machines, keys moved",
    value: handedOver * 100,
    unit: "%",
    goal: { atMost: 20 },
  });
  plot({
    kind: "line",
    name: "steps",
    title: "Keys that move when one machine is added",
    x: { label: "machines afterwards" },
    y: { label: "percent of all keys" },
    series: [
      { name: "key % machines", points: byRemainder },
      { name: "1,024 slots, the least possible", points: bySlots },
    ],
  });
}

function doubledSlots({ figure }: Lab): void {
  const before = rebalancedSlotMap(evenSlotMap(names(4)), names(7));
  const after = finerSlotMap(before, 8_192);
  figure({
    name: "keys moved by going from 1,024 to 8,192 slots",
    value: movedShare(before, after, keys),
    unit: "",
    goal: { equals: 0 },
  });
  const lost = keys.filter((owner) => {
    const carried = slotOf(owner, 8_192);
    const shard = before.shardOfKey(owner);
    const coarse = before.shardOf(slotAmong(carried, 8_192, before.slots));
    return coarse !== shard || after.shardOf(carried) !== shard;
  });
  figure({
    name: "ids with 13 bits of slot that miss their shard",
    value: lost.length,
    unit: "",
    goal: { equals: 0 },
  });
}

function busiestBesideMean({ ranges, shards, slots }: SlotMap): number {
  const sizes = shards.map((shard) =>
    ranges.reduce((sum, r) => (r.shard === shard ? sum + r.last - r.first + 1 : sum), 0),
  );
  return Math.max(...sizes) / (slots / shards.length);
}
