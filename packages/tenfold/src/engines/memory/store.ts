import type {
  Condition,
  Entry,
  Listing,
  Revision,
  Transaction,
  TransactionResult,
} from "../../coordination/coordinator.ts";
import { fencingToken } from "../../coordination/fencing-token.ts";
import { generationKey, parseGeneration } from "../../coordination/generation.ts";
import type { StoreSighting } from "../../coordination/store-guard.ts";
import type { RevisedChange } from "../../coordination/watch-buffer.ts";

/** A copy of everything, as `MemoryStore.backUp` took it. */
export interface MemoryBackup {
  readonly entries: ReadonlyMap<string, Entry>;
  readonly revision: Revision;
}

/** What several memory coordinators of one process share: the map, its revision, who watches. */
export interface MemoryStore {
  openSession(onEnd: () => void): string;
  /** Removes the session and its entries; as a server does on expiry when called from outside. */
  endSession(id: string): void;
  get(key: string): Entry | undefined;
  list(prefix: string): Listing;
  /** Undefined when a change names a session that has ended. */
  transact(transaction: Transaction): TransactionResult | undefined;
  /** Calls `tell` with the changes of every revision from now on. @returns stops the calls */
  onChange(tell: (changes: readonly RevisedChange[]) => void): () => void;
  /** What clients know the store by. */
  sighting(): StoreSighting;
  backUp(): MemoryBackup;
  /** Puts an older state back, as an operator would; sessions that it does not know end. */
  restore(backup: MemoryBackup): void;
}

export function memoryStore(): MemoryStore {
  const entries = new Map<string, Entry>();
  const sessions = new Map<string, () => void>();
  const watchers = new Set<(changes: readonly RevisedChange[]) => void>();
  let revision: Revision = 1n;
  let sessionCount = 0;

  const generation = (): number => parseGeneration(entries.get(generationKey)?.value);
  /** With the token of the generation of now. */
  const told = (entry: Entry): Entry => ({
    ...entry,
    token: fencingToken(generation(), entry.createRevision),
  });
  const find = (key: string): Entry | undefined => {
    const entry = entries.get(key);
    return entry && told(entry);
  };
  const commit = (change: Transaction["change"]): void => {
    const next = revision + 1n;
    const made: RevisedChange[] = [];
    for (const one of change) {
      if ("put" in one) {
        const { put: key, value, session } = one;
        const createRevision = entries.get(key)?.createRevision ?? next;
        const token = fencingToken(generation(), createRevision);
        const sessionId = session?.id;
        const entry = { key, value, createRevision, revision: next, sessionId, token };
        entries.set(key, entry);
        made.push({ kind: "put", entry, revision: next });
      } else if (entries.delete(one.delete)) {
        made.push({ kind: "delete", key: one.delete, revision: next });
      }
    }
    if (made.length === 0) return;
    revision = next;
    for (const tell of [...watchers]) tell(made);
  };
  const holds = (condition: Condition): boolean => {
    const entry = entries.get(condition.key);
    if ("revision" in condition) return entry?.revision === condition.revision;
    if ("ownedBy" in condition) return entry?.sessionId === condition.ownedBy.id;
    return (entry === undefined) === (condition.is === "absent");
  };
  const end = (id: string): void => {
    const onEnd = sessions.get(id);
    if (!sessions.delete(id)) return;
    const owned = [...entries.values()].filter((entry) => entry.sessionId === id);
    commit(owned.map((entry) => ({ delete: entry.key })));
    onEnd?.();
  };

  return {
    openSession(onEnd) {
      const id = String(++sessionCount);
      sessions.set(id, onEnd);
      return id;
    },
    endSession: end,
    get: find,
    list(prefix) {
      const found = [...entries.values()].filter((entry) => entry.key.startsWith(prefix));
      return { entries: found.map(told).sort((a, b) => (a.key < b.key ? -1 : 1)), revision };
    },
    transact({ when = [], change, otherwiseRead = [] }) {
      if (!when.every(holds)) {
        const reads = otherwiseRead.flatMap((key) => find(key) ?? []);
        return { outcome: "refused", revision, reads };
      }
      const ended = (id: string | undefined): boolean => id !== undefined && !sessions.has(id);
      if (change.some((one) => "put" in one && ended(one.session?.id))) return undefined;
      commit(change);
      return { outcome: "applied", revision, token: fencingToken(generation(), revision) };
    },
    onChange(tell) {
      watchers.add(tell);
      return () => void watchers.delete(tell);
    },
    sighting: () => ({ storeId: 1n, generation: generation(), revision }),
    backUp: () => ({ entries: new Map(entries), revision }),
    restore(backup) {
      entries.clear();
      for (const [key, entry] of backup.entries) entries.set(key, entry);
      ({ revision } = backup);
      for (const id of [...sessions.keys()]) end(id);
      for (const tell of [...watchers]) tell([]);
    },
  };
}
