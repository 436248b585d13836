import { TenfoldError } from "../runtime/errors.ts";

/** The placement that a process routes by: the last good one. */
export interface HeldPlacement<Map extends { readonly version: number }> {
  /** Undefined until the first good one came. */
  readonly current: Map | undefined;
  /**
   * Takes a placement as it came and gives what it says; when it throws, `current` stays.
   * @throws what `decode` throws; TENFOLD_PARTITIONING_VERSION_STALE for one older than `current`
   */
  take(json: string): Map;
}

/**
 * Holds on to the last placement that could be used, whatever comes after it.
 * @param decode `placementOf`, or `decodeSlotMap` where only slots will do.
 */
export function heldPlacement<Map extends { readonly version: number }>(
  decode: (json: string) => Map,
): HeldPlacement<Map> {
  let current: Map | undefined;
  return {
    get current() {
      return current;
    },
    take(json) {
      const next = decode(json);
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
