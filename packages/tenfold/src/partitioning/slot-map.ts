import type { TenfoldError } from "../runtime/errors.ts";
import { invalidOption } from "../runtime/options.ts";
import type { KeyMap, PartitionKey } from "./key-map.ts";
import { checkedVersion, invalidPlacement } from "./placement-error.ts";
import { type PlacementFields, placementFields, placementFormat } from "./placement-fields.ts";
import { hashOf, slotCount, slotDefaults, slotOfHash, slotShift, unknownSlot } from "./slot.ts";

/** Slots `first` to `last`, both included, live on `shard`. */
export interface SlotRange {
  readonly first: number;
  readonly last: number;
  readonly shard: string;
}

/** What a slot map says: every slot is on exactly one of the shards. */
export interface SlotPlacement {
  /** Grows with every change of the placement. */
  readonly version: number;
  readonly slots: number;
  readonly shards: readonly string[];
  /** In slot order, without gap or overlap; neighbours of one shard may be apart or joined. */
  readonly ranges: readonly SlotRange[];
}

/** A placement by slots that was checked, with constant-time look-up. */
export interface SlotMap extends SlotPlacement, KeyMap {
  readonly kind: "slots";
  /** The shard of a slot. @throws TENFOLD_PARTITIONING_SLOT_UNKNOWN */
  shardOf(slot: number): string;
  /** The shard of a key, by `slotOf`. @throws TENFOLD_PARTITIONING_KEY_INVALID */
  shardOfKey(key: PartitionKey): string;
}

/**
 * Checks a placement and makes it fast to ask.
 * @throws TENFOLD_PARTITIONING_PLACEMENT_INVALID with `details.problem` (gap, overlap, shard,
 * count, range, version) and the offending `details.rows`
 */
export function slotMap(placement: SlotPlacement): SlotMap {
  const { shards } = placement;
  const slots = slotCount(placement.slots);
  const version = checkedVersion(placement.version);
  if (shards.length === 0 || new Set(shards).size !== shards.length || shards.includes("")) {
    throw invalidPlacement("shard", "shards must be named, each once, and at least one");
  }
  const ranges = placement.ranges.map(({ first, last, shard }) =>
    Object.freeze({ first, last, shard }),
  );
  const owner = new Uint16Array(slots);
  let next = 0;
  for (const [row, range] of ranges.entries()) {
    checkRange(range, next, ranges.slice(Math.max(0, row - 1), row + 1));
    const shard = shards.indexOf(range.shard);
    if (shard < 0) throw invalid("shard", `"${range.shard}" is not among the shards`, [range]);
    if (range.last >= slots) throw invalid("count", `there are ${slots} slots`, [range]);
    owner.fill(shard, range.first, range.last + 1);
    next = range.last + 1;
  }
  if (next !== slots) {
    throw invalid("count", `the rows cover ${next} of ${slots} slots`, ranges.slice(-1));
  }
  const names = Object.freeze([...shards]);
  const shift = slotShift(slots);
  return Object.freeze({
    kind: "slots",
    version,
    slots,
    shards: names,
    ranges: Object.freeze(ranges),
    shardOf(slot: number): string {
      const shard = names[owner[slot] ?? names.length];
      if (shard === undefined) throw unknownSlot(slot, slots);
      return shard;
    },
    shardOfKey: (key: PartitionKey) =>
      names[owner[slotOfHash(hashOf(key), shift)] as number] as string,
  });
}

/** The first placement of a store: the slots in equal runs, which differ by one slot at most. */
export function evenSlotMap(
  shards: readonly string[],
  slots: number = slotDefaults.slots,
): SlotMap {
  if (shards.length > slotCount(slots)) {
    throw invalidPlacement("count", `${shards.length} shards cannot share ${slots} slots`);
  }
  const start = (index: number): number => Math.floor((index * slots) / shards.length);
  const ranges = shards.map((shard, i) => ({ first: start(i), last: start(i + 1) - 1, shard }));
  return slotMap({ version: 1, slots, shards, ranges });
}

/**
 * The same placement counted in more slots, the next version: no key moves, and a shard can then
 * be cut finer.
 * @param slots at least as many as there are. @throws TENFOLD_OPTION_INVALID
 */
export function finerSlotMap(map: SlotPlacement, slots: number): SlotMap {
  const times = slotCount(slots) / map.slots;
  if (times < 1) throw invalidOption("slots", `at least ${map.slots}, as there are`, slots);
  const ranges = map.ranges.map(({ first, last, shard }) => ({
    first: first * times,
    last: (last + 1) * times - 1,
    shard,
  }));
  return slotMap({ version: map.version + 1, slots, shards: map.shards, ranges });
}

/**
 * The next version for these shards, every one with an equal share, to one slot, by the fewest
 * moves: only slots of shards that leave or hold too many change.
 * @throws TENFOLD_PARTITIONING_PLACEMENT_INVALID
 */
export function rebalancedSlotMap(map: SlotMap, shards: readonly string[]): SlotMap {
  const { slots, version } = map;
  const kept = new Map(shards.map((shard) => [shard, 0]));
  const held = Array.from({ length: slots }, (_, slot) => map.shardOf(slot));
  for (const shard of held) if (kept.has(shard)) kept.set(shard, (kept.get(shard) as number) + 1);
  // Who holds most may keep the one slot more that the division leaves over.
  const byCount = [...kept].sort(([, a], [, b]) => b - a).map(([shard]) => shard);
  const share = Math.floor(slots / kept.size);
  const left = new Map(
    byCount.map((shard, at) => [shard, share + (at < slots % kept.size ? 1 : 0)]),
  );
  const free: number[] = [];
  for (const [slot, shard] of held.entries()) {
    const room = left.get(shard);
    if (room === undefined || room === 0) free.push(slot);
    else left.set(shard, room - 1);
  }
  for (const shard of byCount) {
    for (const slot of free.splice(0, left.get(shard))) held[slot] = shard;
  }
  return slotMap({ version: version + 1, slots, shards, ranges: runsOf(held) });
}

/** The form that the coordinator keeps; `placementOf` reads it too. */
export function encodeSlotMap(map: SlotPlacement): string {
  const { version, slots, shards, ranges } = map;
  return JSON.stringify({ format: placementFormat, version, slots, shards, ranges });
}

/**
 * @throws TENFOLD_PARTITIONING_FORMAT_UNKNOWN when a newer Tenfold wrote it
 * @throws TENFOLD_PARTITIONING_PLACEMENT_INVALID
 */
export function decodeSlotMap(json: string): SlotMap {
  const fields = placementFields(json);
  if ((fields.kind ?? "slots") === "slots") return slotMapOf(fields);
  throw invalidPlacement("kind", `slots are wanted here, not kind ${JSON.stringify(fields.kind)}`);
}

/** The slot map that JSON's fields say. @throws TENFOLD_PARTITIONING_PLACEMENT_INVALID */
export function slotMapOf(fields: PlacementFields): SlotMap {
  const { version, slots, shards, ranges } = fields as Partial<SlotPlacement>;
  const shaped =
    typeof version === "number" &&
    typeof slots === "number" &&
    Array.isArray(shards) &&
    shards.every((shard) => typeof shard === "string") &&
    Array.isArray(ranges) &&
    ranges.every((range) => typeof range === "object" && range !== null);
  if (!shaped) throw invalidPlacement("json", "it lacks version, slots, shards or ranges");
  return slotMap({ version, slots, shards, ranges });
}

/** Neighbouring slots of one shard as one row. */
function runsOf(held: readonly string[]): SlotRange[] {
  const runs: { first: number; last: number; shard: string }[] = [];
  for (const [slot, shard] of held.entries()) {
    const run = runs.at(-1);
    if (run?.shard === shard) run.last = slot;
    else runs.push({ first: slot, last: slot, shard });
  }
  return runs;
}

function checkRange(range: SlotRange, next: number, rows: readonly SlotRange[]): void {
  const { first, last } = range;
  if (!Number.isInteger(first) || !Number.isInteger(last) || first < 0 || last < first) {
    throw invalid("range", `a row goes from ${first} to ${last}`, [range]);
  }
  if (first > next) throw invalid("gap", `nothing holds slots ${next} to ${first - 1}`, rows);
  if (first < next) throw invalid("overlap", `slot ${first} is held twice`, rows);
}

function invalid(problem: string, what: string, rows: readonly SlotRange[]): TenfoldError {
  return invalidPlacement(
    problem,
    what,
    rows.map((row) => ({ ...row })),
  );
}
