import type { Revised, StoreEvent } from "./key-store.ts";
import type { CoordinatorNodeLimits } from "./limits.ts";

/** The latest revisions, for watches that start in the past or fell behind. */
export interface History {
  /** The oldest revision that a watch can start from; all from here to the newest are kept. */
  readonly oldest: bigint;
  add(revised: Revised): void;
  /** The changes of a kept revision. A hole would be a lost event, so it is an error. */
  at(revision: bigint): Revised;
}

/** @param from the revision that the store had at the start; what was before is not known. */
export function history(from: bigint, limits: CoordinatorNodeLimits): History {
  const kept = new Map<bigint, Revised>();
  let oldest = from === emptyStore ? emptyStore : from + 1n;
  let size = 0;
  if (oldest === emptyStore) kept.set(emptyStore, { revision: emptyStore, events: [] });
  return {
    get oldest() {
      return oldest;
    },
    add(revised) {
      kept.set(revised.revision, revised);
      size += bytesOf(revised);
      while (kept.size > limits.historyRevisionsMax || size > limits.historyBytesMax) {
        const first = kept.get(oldest);
        if (first !== undefined) size -= bytesOf(first);
        kept.delete(oldest);
        oldest++;
      }
    },
    at(revision) {
      const revised = kept.get(revision);
      if (revised === undefined) throw new Error(`The history has no revision ${revision}.`);
      return revised;
    },
  };
}

/** The revision of a store that was never written. */
const emptyStore = 1n;

function bytesOf({ events }: Revised): number {
  const of = (event: StoreEvent): number =>
    event.key.length + (event.now?.value.length ?? 0) + (event.before?.value.length ?? 0);
  return events.reduce((sum, event) => sum + of(event), 0);
}
