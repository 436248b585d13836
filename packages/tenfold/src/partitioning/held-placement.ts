import { TenfoldError } from "../runtime/errors.ts";
import { invalidPlacement } from "./placement-error.ts";

/** The placement that a process routes by: the last good one. */
export interface HeldPlacement<Map extends HoldablePlacement> {
  /** Undefined until the first good one came. */
  readonly current: Map | undefined;
  /**
   * Takes a placement as it came and gives what it says; when it throws, `current` stays.
   * @throws what `decode` throws; TENFOLD_PARTITIONING_PLACEMENT_INVALID for one that names a shard
   *   that there is not; TENFOLD_PARTITIONING_VERSION_STALE for one older than `current`
   */
  take(json: string): Map;
}

export interface HoldablePlacement {
  readonly version: number;
  readonly shards: readonly string[];
}

/**
 * Holds on to the last placement that could be used, whatever comes after it.
 * @param decode `placementOf`, or `decodeSlotMap` where only slots will do.
 * @param shards the shards that there are; left out, every name is believed.
 */
export function heldPlacement<Map extends HoldablePlacement>(
  decode: (json: string) => Map,
  shards?: readonly string[],
): HeldPlacement<Map> {
  let current: Map | undefined;
  return {
    get current() {
      return current;
    },
    take(json) {
      const next = decode(json);
      const unknown = next.shards.filter((shard) => shards?.includes(shard) === false);
      if (unknown.length > 0) {
        const what = `the shards are ${shards?.join(", ")}, there is no ${unknown.join(", ")}`;
        throw invalidPlacement(
          "shard",
          what,
          unknown.map((shard) => ({ shard })),
        );
      }
      if (current !== undefined && next.version < current.version) {
        throw new TenfoldError(
          "TENFOLD_PARTITIONING_VERSION_STALE",
          `Placement version ${next.version} is older than ${current.version}, which is in use.`,
          { details: { version: next.version, inUse: current.version } },
        );
      }
      current = next;
      return next;
    },
  };
}
