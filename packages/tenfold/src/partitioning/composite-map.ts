import type { KeyMap, PartitionKey } from "./key-map.ts";
import {
  checkedVersion,
  checkRowCount,
  distinctShards,
  invalidKey,
  invalidPlacement,
} from "./placement-error.ts";

export const compositeLimits: { readonly groupsMax: number } = Object.freeze({ groupsMax: 1_024 });

/**
 * What a composite says of keys such as `eu/42` or `1207_9`: the part before the separator picks a
 * group, the part after it a shard within.
 */
export interface CompositePlacement<Outer extends KeyMap = KeyMap, Part extends KeyMap = KeyMap> {
  readonly version: number;
  /** One character; its first place in the key counts. */
  readonly separator: string;
  /** Places what stands before the separator; its "shards" are the names of the groups. */
  readonly outer: Outer;
  /** Places what stands after it, for each group. */
  readonly inside: ReadonlyMap<string, Part>;
}

/** A composite that was checked. */
export interface CompositeMap<Outer extends KeyMap = KeyMap, Part extends KeyMap = KeyMap>
  extends CompositePlacement<Outer, Part>,
    KeyMap {
  readonly kind: "composite";
  /** The group of a key. @throws as `shardOfKey` */
  groupOf(key: PartitionKey): string;
}

/**
 * @throws TENFOLD_PARTITIONING_PLACEMENT_INVALID with `details.problem` (separator, group, count,
 *   version)
 */
export function compositeMap<Outer extends KeyMap, Part extends KeyMap>(
  placement: CompositePlacement<Outer, Part>,
): CompositeMap<Outer, Part> {
  const version = checkedVersion(placement.version);
  const { separator, outer } = placement;
  if (typeof separator !== "string" || separator.length !== 1) {
    throw invalidPlacement("separator", `the separator is one character, got "${separator}"`);
  }
  const inside: ReadonlyMap<string, Part> = new Map(placement.inside);
  checkRowCount("groups", inside.size, compositeLimits.groupsMax);
  for (const group of outer.shards) {
    if (inside.has(group)) continue;
    throw invalidPlacement("group", `the group "${group}" has no placement inside`, [{ group }]);
  }
  for (const group of inside.keys()) {
    if (outer.shards.includes(group)) continue;
    throw invalidPlacement("group", `nothing leads to the group "${group}"`, [{ group }]);
  }
  const split = (key: PartitionKey): readonly [prefix: string, rest: string] => {
    const at = typeof key === "string" ? key.indexOf(separator) : -1;
    if (at < 0) throw invalidKey(`text with a prefix before "${separator}"`, key);
    const text = key as string;
    return [text.slice(0, at), text.slice(at + 1)];
  };
  return Object.freeze({
    kind: "composite",
    version,
    separator,
    outer,
    inside,
    shards: distinctShards([...inside.values()].flatMap(({ shards }) => shards)),
    groupOf: (key: PartitionKey) => outer.shardOfKey(split(key)[0]),
    shardOfKey(key: PartitionKey): string {
      const [prefix, rest] = split(key);
      return (inside.get(outer.shardOfKey(prefix)) as Part).shardOfKey(rest);
    },
  });
}
