import type { Revision } from "./coordinator.ts";

/** What an answer says of the store that it came from. */
export interface StoreSighting {
  /** Which store: a cluster's id, for instance. */
  readonly storeId: bigint;
  readonly generation: number;
  readonly revision: Revision;
}

/**
 * first, same: go on. raised: it was replaced, and somebody vouches for it; what hung on the store
 * before is void. younger: it has forgotten what was heard from it (an older backup, a wiped disk).
 * foreign: another store.
 */
export type StoreVerdict = "first" | "same" | "raised" | "younger" | "foreign";

/** Remembers the store that was last accepted, and knows it again. */
export interface StoreGuard {
  /** Of the accepted store; 0 before there is one. */
  readonly generation: number;
  /** The highest revision that was heard from the accepted store. */
  readonly revision: Revision;
  /**
   * Judges a sighting, and takes it as the accepted store unless it is younger or foreign.
   * @param floor what `revision` was before the question was sent: answers may overtake each other
   */
  see(sighting: StoreSighting, floor: Revision): StoreVerdict;
  /** A revision of the accepted store came from elsewhere, such as a watch. */
  hear(revision: Revision): void;
}

export function storeGuard(): StoreGuard {
  let accepted: StoreSighting | undefined;
  let highest: Revision = 0n;

  const judge = (seen: StoreSighting, floor: Revision): StoreVerdict => {
    if (accepted === undefined) return "first";
    if (seen.generation > accepted.generation) return "raised";
    if (seen.generation < accepted.generation) return "younger";
    if (seen.storeId !== accepted.storeId) return "foreign";
    return seen.revision < floor ? "younger" : "same";
  };
  const hear = (revision: Revision): void => {
    if (revision > highest) highest = revision;
  };
  return {
    get generation() {
      return accepted?.generation ?? 0;
    },
    get revision() {
      return highest;
    },
    see(seen, floor) {
      const verdict = judge(seen, floor);
      if (verdict === "raised") highest = 0n;
      if (verdict === "first" || verdict === "raised") accepted = seen;
      if (verdict !== "younger" && verdict !== "foreign") hear(seen.revision);
      return verdict;
    },
    hear,
  };
}
