import { errorText, TenfoldError } from "../runtime/errors.ts";
import { slotCount, slotDefaults, slotOf } from "./slot.ts";

/** Slots `first` to `last`, both included, live on `shard`. */
export interface SlotRange {
  readonly first: number;
  readonly last: number;
  readonly shard: string;
}

/** What a slot map says: every slot is on exactly one of the shards. */
export interface Placement {
  /** Grows with every change of the placement. */
  readonly version: number;
  readonly slots: number;
  readonly shards: readonly string[];
  /** In slot order, without gap or overlap; neighbours of one shard may be apart or joined. */
  readonly ranges: readonly SlotRange[];
}

/** A placement that was checked, with constant-time look-up. */
export interface SlotMap extends Placement {
  /** The shard of a slot. @throws TENFOLD_PARTITIONING_SLOT_UNKNOWN */
  shardOf(slot: number): string;
  /** The shard of a key, by `slotOf`. */
  shardOfKey(key: bigint | string): string;
}

/** The version of the JSON form; a reader refuses every other. */
const formatVersion = 1;

/**
 * Checks a placement and makes it fast to ask.
 * @throws TENFOLD_PARTITIONING_PLACEMENT_INVALID with `details.problem` (gap, overlap, shard,
 * count, range, version) and the offending `details.rows`
 */
export function slotMap(placement: Placement): SlotMap {
  const { version, shards } = placement;
  const slots = slotCount(placement.slots);
  if (!Number.isSafeInteger(version) || version < 1) {
    throw invalid("version", `version must be a whole number from 1, got ${version}`, []);
  }
  if (shards.length === 0 || new Set(shards).size !== shards.length || shards.includes("")) {
    throw invalid("shard", "shards must be named, each once, and at least one", []);
  }
  const ranges = placement.ranges.map((range) => Object.freeze({ ...range }));
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
  const shardOf = (slot: number): string => {
    const shard = shards[owner[slot] ?? shards.length];
    if (shard !== undefined) return shard;
    throw new TenfoldError(
      "TENFOLD_PARTITIONING_SLOT_UNKNOWN",
      `Slots go from 0 to ${slots - 1}, got ${slot}.`,
    );
  };
  return Object.freeze({
    version,
    slots,
    shards: Object.freeze([...shards]),
    ranges: Object.freeze(ranges),
    shardOf,
    shardOfKey: (key: bigint | string) => shardOf(slotOf(key, slots)),
  });
}

/** The first placement of a store: the slots in equal runs, which differ by one slot at most. */
export function evenSlotMap(
  shards: readonly string[],
  slots: number = slotDefaults.slots,
): SlotMap {
  if (shards.length > slotCount(slots)) {
    throw invalid("count", `${shards.length} shards cannot share ${slots} slots`, []);
  }
  const start = (index: number): number => Math.floor((index * slots) / shards.length);
  const ranges = shards.map((shard, i) => ({ first: start(i), last: start(i + 1) - 1, shard }));
  return slotMap({ version: 1, slots, shards, ranges });
}

export function encodeSlotMap(map: Placement): string {
  const { version, slots, shards, ranges } = map;
  return JSON.stringify({ format: formatVersion, version, slots, shards, ranges });
}

/**
 * @throws TENFOLD_PARTITIONING_FORMAT_UNKNOWN when a newer Tenfold wrote it
 * @throws TENFOLD_PARTITIONING_PLACEMENT_INVALID
 */
export function decodeSlotMap(json: string): SlotMap {
  let value: Partial<Placement & { format: number }> | null;
  try {
    value = JSON.parse(json) as typeof value;
  } catch (cause) {
    throw invalid("json", `the placement is no JSON: ${errorText(cause)}`, []);
  }
  if (value?.format !== formatVersion) {
    throw new TenfoldError(
      "TENFOLD_PARTITIONING_FORMAT_UNKNOWN",
      `This placement has format ${value?.format}; only ${formatVersion} is known here.`,
    );
  }
  const { version, slots, shards, ranges } = value;
  const shaped =
    typeof version === "number" &&
    typeof slots === "number" &&
    Array.isArray(shards) &&
    shards.every((shard) => typeof shard === "string") &&
    Array.isArray(ranges) &&
    ranges.every((range) => typeof range === "object" && range !== null);
  if (!shaped) throw invalid("json", "the placement lacks version, slots, shards or ranges", []);
  return slotMap({ version, slots, shards, ranges });
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
  const shown = rows.map(({ first, last, shard }) => `${first}-${last} ${shard}`).join(", ");
  return new TenfoldError(
    "TENFOLD_PARTITIONING_PLACEMENT_INVALID",
    `This placement cannot be used: ${what}${shown === "" ? "" : ` (rows: ${shown})`}.`,
    { details: { problem, rows } },
  );
}
