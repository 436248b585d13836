import type {
  Condition,
  Entry,
  Listing,
  Revision,
  Transaction,
  TransactionResult,
} from "../../coordination/coordinator.ts";
import type { RevisedChange } from "../../coordination/watch-buffer.ts";

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
}

export function memoryStore(): MemoryStore {
  const entries = new Map<string, Entry>();
  const sessions = new Map<string, () => void>();
  const watchers = new Set<(changes: readonly RevisedChange[]) => void>();
  let revision: Revision = 1n;
  let sessionCount = 0;

  const commit = (change: Transaction["change"]): void => {
    if (change.length === 0) return;
    const next = revision + 1n;
    const made: RevisedChange[] = [];
    for (const one of change) {
      if ("put" in one) {
        const createRevision = entries.get(one.put)?.createRevision ?? next;
        const { put: key, value, session } = one;
        const entry = { key, value, createRevision, revision: next, sessionId: session?.id };
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
    return (entry === undefined) === (condition.is === "absent");
  };

  return {
    openSession(onEnd) {
      const id = String(++sessionCount);
      sessions.set(id, onEnd);
      return id;
    },
    endSession(id) {
      const onEnd = sessions.get(id);
      if (!sessions.delete(id)) return;
      const owned = [...entries.values()].filter((entry) => entry.sessionId === id);
      commit(owned.map((entry) => ({ delete: entry.key })));
      onEnd?.();
    },
    get: (key) => entries.get(key),
    list(prefix) {
      const found = [...entries.values()].filter((entry) => entry.key.startsWith(prefix));
      return { entries: found.sort((a, b) => (a.key < b.key ? -1 : 1)), revision };
    },
    transact({ when = [], change, otherwiseRead = [] }) {
      if (!when.every(holds)) {
        const reads = otherwiseRead.flatMap((key) => entries.get(key) ?? []);
        return { outcome: "refused", revision, reads };
      }
      const ended = (id: string | undefined): boolean => id !== undefined && !sessions.has(id);
      if (change.some((one) => "put" in one && ended(one.session?.id))) return undefined;
      commit(change);
      return { outcome: "applied", revision };
    },
    onChange(tell) {
      watchers.add(tell);
      return () => void watchers.delete(tell);
    },
  };
}
