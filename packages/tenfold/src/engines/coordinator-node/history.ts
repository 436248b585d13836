import type { Revised } from "./key-store.ts";
import type { CoordinatorNodeLimits } from "./limits.ts";

/** The latest revisions: for reads and watches in the past, and to hide what is not durable yet. */
export interface History {
  /** As etcd's compact revision: reads and watches from it on are answered, earlier ones not. */
  readonly compacted: bigint;
  add(revised: Revised): void;
  /** Takes back the newest. */
  drop(revised: Revised): void;
  /** The changes of a kept revision. A hole would be a lost event, so it is an error. */
  at(revision: bigint): Revised;
  /** Forgets what is older. */
  compact(revision: bigint): void;
  /** Forgets what the limits do not leave room for. */
  trim(): void;
  /** All that is kept, oldest first. */
  kept(): readonly Revised[];
}

/** Of a store that was never compacted; as etcd says it. */
export const neverCompacted = -1n;

/** @param initial every revision from `compacted` on, if there is any */
export function history(
  initial: { readonly compacted: bigint; readonly revised: readonly Revised[] },
  limits: Pick<CoordinatorNodeLimits, "historyRevisionsMax" | "historyBytesMax">,
): History {
  const kept = new Map<bigint, Revised>();
  let compacted = initial.compacted;
  let size = 0;
  const add = (revised: Revised): void => {
    kept.set(revised.revision, revised);
    size += bytesOf(revised);
  };
  const drop = (revised: Revised): void => {
    if (kept.delete(revised.revision)) size -= bytesOf(revised);
  };
  for (const revised of initial.revised) add(revised);
  return {
    get compacted() {
      return compacted;
    },
    add,
    drop,
    at(revision) {
      const revised = kept.get(revision);
      if (revised !== undefined) return revised;
      if (revision === neverWritten) return { revision, events: [] };
      throw new Error(`The history has no revision ${revision}.`);
    },
    compact(revision) {
      compacted = revision;
      // A map gives its oldest first.
      for (const revised of kept.values()) {
        if (revised.revision >= revision) break;
        drop(revised);
      }
    },
    trim() {
      for (const revised of kept.values()) {
        const fits = kept.size <= limits.historyRevisionsMax && size <= limits.historyBytesMax;
        // The newest stays, however large: nothing is compacted beyond the store's revision.
        if (fits || kept.size === 1) break;
        drop(revised);
        compacted = revised.revision + 1n;
      }
    },
    kept: () => [...kept.values()],
  };
}

/** The revision of a store that was never written: it has no changes. */
const neverWritten = 1n;

function bytesOf({ events }: Revised): number {
  return events.reduce((sum, { wire, before }) => sum + wire.length + sizeOf(before), 0);
}

function sizeOf(entry: { readonly value: Uint8Array } | undefined): number {
  return entry?.value.length ?? 0;
}
