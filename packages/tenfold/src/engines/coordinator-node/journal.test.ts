import { crc32 } from "node:zlib";
import { expect, test } from "vitest";

import { encodeDelete, encodePut } from "./change-wire.ts";
import { type Journal, journalFile, openJournal } from "./journal.ts";
import type { JournalState } from "./journal-state.ts";
import { keyText } from "./key-range.ts";
import type { Revised, StoredEntry } from "./key-store.ts";
import { logHeadBytes, readFrames } from "./log-frames.ts";
import {
  type DiskFault,
  PowerCut,
  type SimulatedDisk,
  simulatedDisk,
} from "./simulated-disk.fixture.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"));
const coded = (code: string) => expect.objectContaining({ code });
const open = ({ storage }: SimulatedDisk, name?: string) =>
  openJournal({ storage, newClusterId: 42n, name });

/** A put or a deletion of one key, made from what was there. */
function change(revision: bigint, key: string, before?: StoredEntry, value?: string): Revised {
  if (value === undefined) {
    const wire = encodeDelete(bytes(key), revision);
    return { revision, events: [{ key, now: undefined, before, wire }] };
  }
  const now: StoredEntry = {
    ...{ key: bytes(key), value: bytes(value), modRevision: revision, lease: 0n, sub: 0 },
    createRevision: before?.createRevision ?? revision,
    version: (before?.version ?? 0n) + 1n,
  };
  return { revision, events: [{ key, now, before, wire: encodePut(now) }] };
}

/** The state after a commit, as the node keeps it. */
function after(state: JournalState, revised: readonly Revised[]): JournalState {
  const entries = new Map(state.entries.map((entry) => [keyText(entry.key), entry]));
  for (const { key, now } of revised.flatMap(({ events }) => events)) {
    if (now === undefined) entries.delete(key);
    else entries.set(key, now);
  }
  const revision = revised.at(-1)?.revision ?? state.revision;
  return {
    ...state,
    revision,
    entries: [...entries.values()],
    revised: [...state.revised, ...revised],
  };
}

/** Two changes of a few keys, in turn. */
function nextChanges(state: JournalState): Revised[] {
  let now = state;
  for (let i = 0; i < 2; i++) {
    const revision = now.revision + 1n;
    const key = `k${revision % 3n}`;
    const before = now.entries.find((entry) => keyText(entry.key) === key);
    const value = revision % 5n === 0n && before !== undefined ? undefined : `v${revision}`;
    now = after(now, [change(revision, key, before, value)]);
  }
  return now.revised.slice(state.revised.length) as Revised[];
}

async function commitNext(journal: Journal, state: JournalState): Promise<JournalState> {
  const revised = nextChanges(state);
  await journal.commit({ revised, granted: [], ended: [] });
  return after(state, revised);
}

const content = ({ revision, entries }: JournalState) => ({
  revision,
  entries: new Map(entries.map((entry) => [keyText(entry.key), entry])),
});

test("what was committed is there after a new start, counted", async () => {
  const disk = simulatedDisk();
  const first = await open(disk, "posts");
  expect(first.state).toMatchObject({ clusterId: 42n, starts: 1n, revision: 1n });
  let state = first.state;
  for (let i = 0; i < 5; i++) state = await commitNext(first.journal, state);
  const lease = { id: 2n ** 62n, ttlSeconds: 5n };
  await first.journal.commit({
    revised: [],
    granted: [lease, { id: 7n, ttlSeconds: 1n }],
    ended: [],
  });
  await first.journal.commit({ revised: [], granted: [], ended: [7n], compacted: 4n });
  await first.journal.close();
  const second = await open(disk);
  expect(second.state).toMatchObject({ clusterId: 42n, starts: 2n, name: "posts", compacted: 4n });
  expect(content(second.state)).toEqual(content(state));
  expect(second.state.leases).toEqual([lease]);
  expect(second.state.revised.map(({ revision }) => revision)[0]).toBe(4n);
  // Told anew, it says the same, with the oldest revision as one that only watches see.
  await second.journal.rewrite(second.state);
  await second.journal.close();
  const third = await open(disk);
  expect(content(third.state)).toEqual(content(state));
  expect(third.state.revised.map(({ events }) => events.map(({ wire }) => wire))).toEqual(
    second.state.revised.map(({ events }) => events.map(({ wire }) => wire)),
  );
});

test("a change that its own commit compacts away is there after a new start", async () => {
  const disk = simulatedDisk();
  const { journal, state } = await open(disk);
  const revised = [change(2n, "k", undefined, "v")];
  await journal.commit({ revised, granted: [], ended: [], compacted: 2n });
  await journal.close();
  expect(content((await open(disk)).state)).toEqual(content(after(state, revised)));
});

test("closed while it is written anew, it gives the folder free only afterwards", async () => {
  const { storage } = simulatedDisk();
  const free = Promise.withResolvers<void>();
  const slow = {
    ...storage,
    remove: (name: string) => free.promise.then(() => storage.remove(name)),
  };
  const whole = { newClusterId: 42n, name: undefined };
  const first = await openJournal({ storage, ...whole });
  await first.journal.close();
  const second = await openJournal({ storage: slow, ...whole });
  const rewriting = second.journal.rewrite(second.state);
  // Whoever opens the folder afterwards must not be overtaken by the rename.
  let isClosed = false;
  const closing = second.journal.close().then(() => {
    isClosed = true;
  });
  await new Promise(setImmediate);
  expect(isClosed).toBe(false);
  free.resolve();
  await Promise.all([rewriting, closing]);
});

/** Commits, writes the file anew between, commits; undefined when it could not even start. */
async function workload(
  disk: SimulatedDisk,
): Promise<{ acknowledged: JournalState; tried: JournalState } | undefined> {
  const opened = await open(disk).catch((error: unknown) => {
    expect(error).toEqual(coded("TENFOLD_COORDINATOR_NODE_STORAGE_FAILED"));
  });
  if (opened === undefined) return undefined;
  const { journal, state } = opened;
  let acknowledged = state;
  let tried = state;
  try {
    for (let round = 0; round < 6; round++) {
      const rewritten = round === 2 ? journal.rewrite(acknowledged) : undefined;
      rewritten?.catch(() => {});
      tried = after(acknowledged, nextChanges(acknowledged));
      acknowledged = await commitNext(journal, acknowledged).catch((error: unknown) => {
        if (error instanceof PowerCut) throw error;
        return acknowledged;
      });
      await rewritten?.catch(() => {});
      if (round % 2 === 1) await journal.mark().catch(() => {});
    }
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error;
  }
  return { acknowledged, tried };
}

/** Runs the workload with the fault at every operation in turn, and looks at what a start finds. */
async function atEveryOperation(fault: DiskFault, forgetsNames: boolean): Promise<number> {
  const usual = simulatedDisk();
  await workload(usual);
  for (let at = 0; at < usual.operations; at++) {
    const made = simulatedDisk();
    await open(made).then(({ journal }) => journal.close());
    const disk = simulatedDisk(made.files, forgetsNames);
    disk.fault = { at, fault };
    const outcome = await workload(disk);
    const found = await open(simulatedDisk(disk.files));
    if (outcome === undefined) continue;
    const { acknowledged, tried } = outcome;
    // All that was acknowledged, and of what was not only the last that was tried.
    const told = content(found.state);
    const allowed = told.revision === acknowledged.revision ? acknowledged : tried;
    expect(told, `fault at operation ${at}`).toEqual(content(allowed));
  }
  return usual.operations;
}

test("power cut at any write, at any part of it: no acknowledged commit is lost", async () => {
  for (const crashAfterBytes of [0, 1, 8, 40, 100_000]) {
    for (const forgetsNames of crashAfterBytes % 40 === 0 ? [false, true] : [false]) {
      const operations = await atEveryOperation({ crashAfterBytes }, forgetsNames);
      expect(operations).toBeGreaterThan(15);
    }
  }
});

test("a disk that refuses any one write: the others count, and it goes on", async () => {
  for (const refuse of ["ENOSPC", "EIO"]) await atEveryOperation({ refuse }, false);
});

test("a cut at every byte leaves whole commits, or is told as damage when they were marked", async () => {
  const disk = simulatedDisk();
  const { journal, state } = await open(disk);
  const ends: number[] = [journal.bytes];
  let now = state;
  for (let i = 0; i < 4; i++) {
    now = await commitNext(journal, now);
    ends.push(journal.bytes);
    if (i === 1) await journal.mark();
  }
  const whole = disk.files.get(journalFile) as Uint8Array;
  for (let length = 0; length < whole.length; length++) {
    const cut = simulatedDisk(new Map([[journalFile, whole.slice(0, length)]]));
    const found = await open(cut).catch((error: unknown) => error as { code: string });
    const commits = ends.filter((end) => end <= length).length - 1;
    if (length < logHeadBytes)
      expect(found).toEqual(coded("TENFOLD_COORDINATOR_NODE_DATA_UNKNOWN"));
    else if (commits < 2)
      expect(found, `at ${length}`).toEqual(coded("TENFOLD_COORDINATOR_NODE_DATA_DAMAGED"));
    else expect((found as { state: JournalState }).state.revision).toBe(1n + 2n * BigInt(commits));
    if ("code" in found) expect(cut.files.get(journalFile)).toEqual(whole.slice(0, length));
  }
});

test("a changed byte anywhere before the last commit is damage, and the file stays as it is", async () => {
  const disk = simulatedDisk();
  const { journal, state } = await open(disk);
  const before = await commitNext(journal, state);
  await journal.mark();
  const lastStart = journal.bytes;
  await commitNext(journal, before);
  const whole = disk.files.get(journalFile) as Uint8Array;
  let seen = 0;
  for (let at = logHeadBytes; at < lastStart; at++) {
    const changed = whole.slice();
    changed[at] = (changed[at] ?? 0) ^ 0x10;
    const damaged = simulatedDisk(new Map([[journalFile, changed.slice()]]));
    await expect(open(damaged), `byte ${at}`).rejects.toEqual(
      coded("TENFOLD_COORDINATOR_NODE_DATA_DAMAGED"),
    );
    expect(damaged.files.get(journalFile)).toEqual(changed);
    seen++;
  }
  expect(seen).toBeGreaterThan(80);
});

test("another version, another fleet, a predecessor and strange files are refused, untouched", async () => {
  const disk = simulatedDisk();
  const { journal } = await open(disk, "posts");
  await journal.close();
  const whole = disk.files.get(journalFile) as Uint8Array;
  await expect(open(disk, "mail")).rejects.toEqual(coded("TENFOLD_COORDINATOR_NODE_DATA_FOREIGN"));
  const strange = new Map([
    ["newer", newerVersion(whole)],
    ["text", bytes("this is no log, but it is long enough to look at".repeat(9))],
    ["empty", bytes("")],
  ]);
  for (const [what, file] of strange) {
    const other = simulatedDisk(new Map([[journalFile, file]]));
    await expect(open(other), what).rejects.toEqual(coded("TENFOLD_COORDINATOR_NODE_DATA_UNKNOWN"));
    expect([...other.files]).toEqual([[journalFile, file]]);
  }
  const former = simulatedDisk(new Map([["coordinator.sqlite", bytes("SQLite format 3")]]));
  await expect(open(former)).rejects.toEqual(coded("TENFOLD_COORDINATOR_NODE_DATA_UNKNOWN"));
  expect(disk.files.get(journalFile)).toBe(whole);
});

/** The head of a later version, with its own checksum. */
function newerVersion(file: Uint8Array): Uint8Array {
  const newer = Buffer.from(file);
  newer.writeUInt32BE(99, 24);
  newer.writeUInt32BE(crc32(newer.subarray(0, 28)), 28);
  return newer;
}

test("zeros behind the end, as a file system leaves them, are no damage", async () => {
  const disk = simulatedDisk();
  const { journal, state } = await open(disk);
  await commitNext(journal, state);
  const whole = disk.files.get(journalFile) as Uint8Array;
  expect(readFrames(Buffer.concat([whole, new Uint8Array(9_000)]), 0)?.end).toBe(whole.length);
});

test("what a refused write left behind is gone with the next one", async () => {
  const disk = simulatedDisk();
  const { journal, state } = await open(disk);
  disk.fault = { at: disk.operations, fault: { refuse: "ENOSPC" } };
  const large = change(2n, "a", undefined, "x".repeat(500));
  const refused = journal.commit({ revised: [large], granted: [], ended: [] });
  await expect(refused).rejects.toMatchObject({ code: "ENOSPC" });
  await commitNext(journal, state);
  expect(disk.files.get(journalFile)).toHaveLength(journal.bytes);
});

test("a changed commit is told from one cut short by what was written after it", async () => {
  const disk = simulatedDisk();
  const { journal, state } = await open(disk);
  const start = journal.bytes;
  await commitNext(journal, await commitNext(journal, state));
  const changed = (disk.files.get(journalFile) as Uint8Array).slice();
  changed[start + 10] = (changed[start + 10] ?? 0) ^ 1;
  await expect(open(simulatedDisk(new Map([[journalFile, changed]])))).rejects.toEqual(
    coded("TENFOLD_COORDINATOR_NODE_DATA_DAMAGED"),
  );
});
