import type { Entry, Revision, WatchBatch } from "../coordination/coordinator.ts";

/** One acknowledged transaction of plain writes; a value of `undefined` deletes the key. */
export interface WrittenRevision {
  readonly revision: Revision;
  readonly changes: readonly { readonly key: string; readonly value: string | undefined }[];
}

/**
 * What a watch promises, by the names of etcd's robustness tests: ordered (nothing goes back),
 * unique (no change is told twice), atomic (a revision is told whole), reliable (the last state of
 * every key comes), resumable (nothing is missing after an interruption), progress (a batch that
 * says "up to here" has all up to there), previous (a batch is the difference to what was told
 * before), created (value and revisions of an entry are the written ones), filter (keys under the
 * prefix, all of them, no others).
 */
export type WatchRule =
  | "ordered"
  | "unique"
  | "atomic"
  | "reliable"
  | "resumable"
  | "progress"
  | "previous"
  | "created"
  | "filter";

export interface WatchFault {
  readonly rule: WatchRule;
  readonly text: string;
}

/**
 * Compares what a watch told with all that was written. After each batch the reader's map must be
 * the map as of the batch's revision: that alone finds whatever is lost, early, late or torn.
 *
 * @param written every write under the prefix, also those of before the watch, in any order
 * @param batches from the first snapshot until the reader had heard of the last write
 */
export function watchFaults(
  prefix: string,
  written: readonly WrittenRevision[],
  batches: readonly WatchBatch[],
): readonly WatchFault[] {
  const faults: WatchFault[] = [];
  const report = (rule: WatchRule, text: string): void => void faults.push({ rule, text });
  const past = replayed(prefix, written);
  const told = new Map<string, Entry>();
  const tellings = new Set<string>();
  let last: Revision | undefined;
  for (const [index, batch] of batches.entries()) {
    const where = `batch ${index} (${batch.kind}, revision ${batch.revision})`;
    if (last === undefined && batch.kind !== "snapshot") report("previous", `${where} is first`);
    if (last !== undefined && batch.revision < last) report("ordered", `${where} is after ${last}`);
    last = batch.revision;
    for (const change of batch.changes) {
      const key = change.kind === "put" ? change.entry.key : change.key;
      if (!key.startsWith(prefix)) report("filter", `${where} tells of ${key}`);
      const before = told.get(key);
      if (change.kind === "delete") {
        if (!told.delete(key)) report("previous", `${where} deletes ${key}, which was not told`);
        continue;
      }
      const { entry } = change;
      const telling = `${key} ${entry.revision}`;
      if (tellings.has(telling)) report("unique", `${where} tells ${telling} again`);
      else if (before !== undefined && entry.revision <= before.revision) {
        report("ordered", `${where} takes ${key} back to ${entry.revision}`);
      }
      tellings.add(telling);
      told.set(key, entry);
    }
    if (batch.kind === "snapshot") {
      const whole = new Map(batch.entries.map((entry) => [entry.key, entry]));
      for (const key of differences(whole, told)) {
        report("previous", `${where}: ${key} differs from the changes told`);
      }
      // What follows is judged by what a reader knows who trusts the snapshot.
      told.clear();
      for (const [key, entry] of whole) told.set(key, entry);
    }
    judgeState({ past, batches, index, told, where, report });
  }
  return faults;
}

interface Judged {
  readonly past: Past;
  readonly batches: readonly WatchBatch[];
  readonly index: number;
  readonly told: ReadonlyMap<string, Entry>;
  readonly where: string;
  readonly report: (rule: WatchRule, text: string) => void;
}

function judgeState({ past, batches, index, told, where, report }: Judged): void {
  const { revision } = batches[index] as WatchBatch;
  const wanted = past.at(revision);
  const wrong = new Set(differences(wanted, told));
  for (const key of wrong) {
    const [is, should] = [told.get(key), wanted.get(key)];
    if (is !== undefined && is.revision === should?.revision) {
      report("created", `${where}: ${key} is ${text(is)}, but ${text(should)} was written`);
      continue;
    }
    // Of the keys that were written together, are others told?
    const due = past.lastChange(key, revision);
    const together = past.keysAt(due);
    const isTorn = together.some((other) => !wrong.has(other) && past.isLast(other, due, revision));
    const comes = batches.slice(index + 1).some((later) => tells(later, key, should));
    const rule =
      is !== undefined && is.revision > revision
        ? "progress"
        : isTorn
          ? "atomic"
          : comes
            ? "progress"
            : index === batches.length - 1
              ? "reliable"
              : "resumable";
    report(rule, `${where}: ${key} is ${text(is)}, but was ${text(should)}`);
  }
}

function tells(batch: WatchBatch, key: string, entry: Entry | undefined): boolean {
  return batch.changes.some((change) =>
    change.kind === "put"
      ? change.entry.key === key && change.entry.revision === entry?.revision
      : change.key === key && entry === undefined,
  );
}

function text(entry: Entry | undefined): string {
  if (entry === undefined) return "absent";
  return `${JSON.stringify(entry.value)} of ${entry.revision}, made at ${entry.createRevision}`;
}

/** Keys whose entries are not the same. */
function differences(a: ReadonlyMap<string, Entry>, b: ReadonlyMap<string, Entry>): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter((key) => {
    const [one, other] = [a.get(key), b.get(key)];
    return (
      one?.value !== other?.value ||
      one?.revision !== other?.revision ||
      one?.createRevision !== other?.createRevision
    );
  });
}

interface Past {
  /** The map as of a revision. */
  at(revision: Revision): ReadonlyMap<string, Entry>;
  /** The last change of a key up to a revision, or 0. */
  lastChange(key: string, until: Revision): Revision;
  keysAt(revision: Revision): readonly string[];
  /** Was `revision` the last change of the key up to `until`? */
  isLast(key: string, revision: Revision, until: Revision): boolean;
}

type PastEntry = Omit<Entry, "token">;

function replayed(prefix: string, written: readonly WrittenRevision[]): Past {
  const byRevision = [...written].sort((a, b) => (a.revision < b.revision ? -1 : 1));
  const states: { revision: Revision; entries: Map<string, Entry>; keys: string[] }[] = [];
  let now = new Map<string, Entry>();
  for (const { revision, changes } of byRevision) {
    now = new Map(now);
    const keys: string[] = [];
    for (const { key, value } of changes) {
      if (!key.startsWith(prefix)) continue;
      const before = now.get(key);
      if (value === undefined ? now.delete(key) : true) keys.push(key);
      if (value === undefined) continue;
      const createRevision = before?.createRevision ?? revision;
      const entry: PastEntry = { key, value, createRevision, revision, sessionId: undefined };
      now.set(key, entry as Entry);
    }
    states.push({ revision, entries: now, keys });
  }
  const upTo = (revision: Revision) => states.filter((state) => state.revision <= revision);
  const lastChange = (key: string, until: Revision): Revision =>
    upTo(until).findLast(({ keys }) => keys.includes(key))?.revision ?? 0n;
  return {
    at: (revision) => upTo(revision).at(-1)?.entries ?? new Map(),
    lastChange,
    keysAt: (revision) => states.find((state) => state.revision === revision)?.keys ?? [],
    isLast: (key, revision, until) => lastChange(key, until) === revision,
  };
}
