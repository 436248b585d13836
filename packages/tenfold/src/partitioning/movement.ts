import { TenfoldError } from "../runtime/errors.ts";
import { numberOption } from "../runtime/options.ts";
import type { DirectoryEntry } from "./directory-entry.ts";
import type { KeyMap, PartitionKey } from "./key-map.ts";
import type { ModularMap } from "./modular-map.ts";
import type { PlacementMap } from "./placement-codec.ts";
import { compareBounds } from "./range-bound.ts";
import type { RangeMap } from "./range-map.ts";
import { slotAmong } from "./slot.ts";
import type { SlotMap } from "./slot-map.ts";

/** Which keys move together. */
export type MovedPart =
  | { readonly kind: "slots"; readonly first: number; readonly last: number; readonly of: number }
  | {
      readonly kind: "range";
      readonly start: bigint | Uint8Array;
      /** Undefined for the open end. */
      readonly end: bigint | Uint8Array | undefined;
    }
  /** Keys (or their hashes) that leave `remainder` when divided by `divisor`. */
  | { readonly kind: "remainder"; readonly remainder: number; readonly divisor: number }
  | { readonly kind: "value" | "key"; readonly key: string };

export interface Move {
  readonly part: MovedPart;
  /** The group of a composite that the part belongs to. */
  readonly group?: string;
  readonly from: string;
  readonly to: string;
}

export interface Movement {
  /** A key that an index names goes by its own entry alone, never with a larger part. */
  readonly moves: readonly Move[];
  /**
   * The share of all keys that move, 0 … 1: exact where keys are hashed (by slots; by remainder
   * unless single keys are excepted), undefined where it depends on which keys there are.
   */
  readonly share: number | undefined;
}

export const movementLimits: { readonly divisorMax: number } = Object.freeze({
  divisorMax: 1_048_576,
});

/**
 * What must move to get from one placement to another of the same kind.
 *
 * @throws TENFOLD_PARTITIONING_KINDS_DIFFER, also when the outer parts of two composites differ or
 *   ranges do not start at the same key; TENFOLD_OPTION_INVALID when two remainders have no common
 *   divisor up to 1,048,576
 */
export function movementBetween(before: PlacementMap, after: PlacementMap): Movement {
  if (before.kind === "slots" && after.kind === "slots") return ofSlots(before, after);
  if (before.kind === "range" && after.kind === "range") return ofRanges(before, after);
  if (before.kind === "modular" && after.kind === "modular") return ofRemainders(before, after);
  if (before.kind === "list" && after.kind === "list") {
    const parts = after.rows.map(({ value }) => ({ kind: "value", key: value }) as const);
    const held = new Set(before.rows.map(({ value }) => value));
    const both = parts.filter(({ key }) => held.has(key));
    return { moves: changed(both, before, after), share: undefined };
  }
  if (before.kind === "indexed" && after.kind === "indexed") {
    const { moves, share } = movementBetween(before.base, after.base);
    const entries: readonly DirectoryEntry[] = [...before.entries, ...after.entries];
    const keys = [...new Set(entries.map(({ key }) => key))];
    const single = changed(
      keys.map((key) => ({ kind: "key", key }) as const),
      before,
      after,
    );
    return { moves: [...moves, ...single], share: entries.length === 0 ? share : undefined };
  }
  if (before.kind === "composite" && after.kind === "composite") {
    if (movementBetween(before.outer, after.outer).moves.length > 0) {
      throw kindsDiffer("the outer parts differ, so keys change their group");
    }
    const moves = [...after.inside].flatMap(([group, part]) => {
      const was = before.inside.get(group);
      if (was === undefined) throw kindsDiffer(`only one of them has the group "${group}"`);
      return movementBetween(was, part).moves.map((move) => ({ ...move, group }));
    });
    return { moves, share: moves.length === 0 ? 0 : undefined };
  }
  throw kindsDiffer(`one is by ${before.kind}, the other by ${after.kind}`);
}

/** Of these keys, the share that two placements of any kinds have on different shards. */
export function movedShare(before: KeyMap, after: KeyMap, keys: Iterable<PartitionKey>): number {
  let all = 0;
  let moved = 0;
  for (const key of keys) {
    all += 1;
    if (before.shardOfKey(key) !== after.shardOfKey(key)) moved += 1;
  }
  return all === 0 ? 0 : moved / all;
}

function ofSlots(before: SlotMap, after: SlotMap): Movement {
  const of = Math.max(before.slots, after.slots);
  const moves: { part: Extract<MovedPart, { kind: "slots" }>; from: string; to: string }[] = [];
  let moved = 0;
  for (let slot = 0; slot < of; slot++) {
    const from = before.shardOf(slotAmong(slot, of, before.slots));
    const to = after.shardOf(slotAmong(slot, of, after.slots));
    if (from === to) continue;
    moved += 1;
    const run = moves.at(-1);
    if (run !== undefined && run.part.last === slot - 1 && run.from === from && run.to === to) {
      run.part = { ...run.part, last: slot };
    } else {
      moves.push({ part: { kind: "slots", first: slot, last: slot, of }, from, to });
    }
  }
  return { moves, share: moved / of };
}

function ofRanges(before: RangeMap, after: RangeMap): Movement {
  const starts = [...before.rows, ...after.rows].map(({ start }) => start);
  if (before.bounds !== after.bounds) throw kindsDiffer("their bounds are of two kinds");
  const [first, other] = [before.rows[0], after.rows[0]];
  if (first === undefined || other === undefined || compareBounds(first.start, other.start) !== 0) {
    throw kindsDiffer("they do not start at the same key");
  }
  const cuts = starts
    .toSorted(compareBounds)
    .filter((cut, at, all) => at === 0 || compareBounds(cut, all[at - 1] as bigint) !== 0);
  const parts = cuts.map((start, at) => ({ kind: "range", start, end: cuts[at + 1] }) as const);
  const moves = parts.flatMap((part) => {
    const from = before.rowOf(part.start as bigint).shard;
    const to = after.rowOf(part.start as bigint).shard;
    return from === to ? [] : [{ part, from, to }];
  });
  return { moves, share: moves.length === 0 ? 0 : undefined };
}

function ofRemainders(before: ModularMap, after: ModularMap): Movement {
  if (before.by !== after.by) throw kindsDiffer("one divides keys, the other their hashes");
  const [n, m] = [before.buckets.length, after.buckets.length];
  const divisor = (n / commonDivisor(n, m)) * m;
  numberOption("the common multiple of the two numbers of buckets", divisor, {
    min: 1,
    max: movementLimits.divisorMax,
  });
  const moves: Move[] = [];
  for (let remainder = 0; remainder < divisor; remainder++) {
    const from = before.buckets[remainder % n] as string;
    const to = after.buckets[remainder % m] as string;
    if (from !== to) moves.push({ part: { kind: "remainder", remainder, divisor }, from, to });
  }
  return { moves, share: moves.length / divisor };
}

/** Those of the single keys that are elsewhere afterwards. */
function changed(
  parts: readonly { readonly kind: "value" | "key"; readonly key: string }[],
  before: KeyMap,
  after: KeyMap,
): Move[] {
  return parts.flatMap((part) => {
    const from = before.shardOfKey(part.key);
    const to = after.shardOfKey(part.key);
    return from === to ? [] : [{ part, from, to }];
  });
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

function kindsDiffer(what: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_PARTITIONING_KINDS_DIFFER",
    `There is no list of moves between these placements: ${what}.`,
  );
}
