import type { Entry, EntryChange, Listing, Revision, WatchBatch } from "./coordinator.ts";

/** A change and the revision that made it. */
export type RevisedChange = EntryChange & { readonly revision: Revision };

/**
 * What lies between a server and one reader of a watch: the map as the server last told it, and
 * what of it the reader has not yet seen. A slow reader costs no queue: changes of a key merge into
 * its last state, so the size is bounded by the keys that the server holds.
 */
export interface WatchBuffer {
  /** Up to where the map is known; undefined before the first listing. */
  readonly revision: Revision | undefined;
  /** Takes a whole map: after connecting, and after every gap. */
  snapshot(listing: Listing): void;
  /** Takes what followed. Anything not newer than `revision` was told before and is passed over. */
  delta(changes: readonly RevisedChange[]): void;
  /** What the reader has not seen, or undefined when there is nothing. */
  take(): WatchBatch | undefined;
}

export function watchBuffer(): WatchBuffer {
  const entries = new Map<string, Entry>();
  /** By key that changed since the last `take`: the entry that the reader knows. */
  const unseen = new Map<string, Entry | undefined>();
  let revision: Revision | undefined;
  let kind: WatchBatch["kind"] = "delta";

  const set = (key: string, entry: Entry | undefined): void => {
    const before = entries.get(key);
    if (isSame(before, entry)) return;
    if (!unseen.has(key)) unseen.set(key, before);
    if (entry === undefined) entries.delete(key);
    else entries.set(key, entry);
  };

  return {
    get revision() {
      return revision;
    },
    snapshot(listing) {
      const present = new Set(listing.entries.map((entry) => entry.key));
      for (const key of [...entries.keys()]) if (!present.has(key)) set(key, undefined);
      for (const entry of listing.entries) set(entry.key, entry);
      revision = listing.revision;
      kind = "snapshot";
    },
    delta(changes) {
      const known = revision ?? 0n;
      for (const change of changes) {
        if (change.revision <= known) continue;
        if (change.kind === "put") set(change.entry.key, change.entry);
        else set(change.key, undefined);
        revision = change.revision;
      }
    },
    take() {
      const changes = differences(unseen, entries);
      unseen.clear();
      if (revision === undefined || (kind === "delta" && changes.length === 0)) return undefined;
      const all = kind === "snapshot" ? [...entries.values()].sort(byKey) : [];
      const batch: WatchBatch = { kind, revision, entries: all, changes };
      kind = "delta";
      return batch;
    },
  };
}

function differences(
  seen: ReadonlyMap<string, Entry | undefined>,
  now: ReadonlyMap<string, Entry>,
): EntryChange[] {
  const changes: EntryChange[] = [];
  for (const [key, before] of seen) {
    const entry = now.get(key);
    if (entry !== undefined && !isSame(entry, before)) {
      changes.push({ kind: "put", entry });
    } else if (entry === undefined && before !== undefined) {
      changes.push({ kind: "delete", key });
    }
  }
  return changes;
}

/** Revisions begin anew in a later generation of the store, which the token tells. */
function isSame(a: Entry | undefined, b: Entry | undefined): boolean {
  return a?.revision === b?.revision && a?.token === b?.token;
}

/** By code unit, the same on every machine. */
function byKey(a: Entry, b: Entry): number {
  return a.key < b.key ? -1 : 1;
}
