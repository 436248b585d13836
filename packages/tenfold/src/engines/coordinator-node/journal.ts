import { errorReason, TenfoldError } from "../../runtime/errors.ts";
import { type Encodable, encode } from "../etcd/protobuf.ts";
import {
  type JournalState,
  logRecord,
  newState,
  replay,
  type StoredLease,
  tellState,
  toldRevised,
} from "./journal-state.ts";
import type { Revised } from "./key-store.ts";
import type { LogFile, LogFolder } from "./log-folder.ts";
import {
  encodeFrame,
  encodeHead,
  logFormatVersion,
  logHeadBytes,
  readFrames,
  readHead,
} from "./log-frames.ts";
import { type LogWriter, logWriter } from "./log-writer.ts";

/** What one commit makes durable. */
export interface JournalBatch {
  readonly revised: readonly Revised[];
  readonly granted: readonly StoredLease[];
  readonly ended: readonly bigint[];
  readonly compacted?: bigint | undefined;
}

/** The map on disk: one file, to which commits are added until it is written anew. */
export interface Journal {
  /** Of the file. */
  readonly bytes: number;
  /** Resolves when the batch is on disk. One at a time. After a rejection nothing of it counts. */
  commit(batch: JournalBatch): Promise<void>;
  /** The file has grown so much over the state that it should be written anew. */
  readonly isOvergrown: boolean;
  /**
   * Puts the state in the place of the file, while commits go on. It must be as of this moment: no
   * commit under way, none missing. Asked again meanwhile, it is the same work.
   */
  rewrite(state: JournalState): Promise<void>;
  /** Notes how far commits came: damage up to there is then told from a write cut short. */
  mark(): Promise<void>;
  close(): Promise<void>;
}

export const journalFile = "coordinator.log";
const nextFile = "coordinator.next";
/** Of versions that kept the map in SQLite. */
const formerFile = "coordinator.sqlite";
/** A file may be as large as its state, and this: small ones are not worth the work. */
const growthBytes = 4_194_304;

export interface JournalOptions {
  readonly storage: LogFolder;
  /** Names the store if it is made now. */
  readonly newClusterId: bigint;
  /** Whose data it shall be; undefined takes anyone's. */
  readonly name: string | undefined;
}

/**
 * Opens or makes the file, and counts the start.
 * @throws TENFOLD_COORDINATOR_NODE_DATA_UNKNOWN, TENFOLD_COORDINATOR_NODE_DATA_DAMAGED,
 *   TENFOLD_COORDINATOR_NODE_DATA_FOREIGN, TENFOLD_COORDINATOR_NODE_STORAGE_FAILED
 */
export async function openJournal(
  options: JournalOptions,
): Promise<{ journal: Journal; state: JournalState }> {
  const { storage, newClusterId, name } = options;
  try {
    const stored = await storage.read(journalFile);
    const found = stored && readState(stored);
    const before = found?.state ?? newState(newClusterId, name ?? "");
    if (found === undefined && (await storage.read(formerFile)) !== undefined) {
      throw unknownData("a predecessor in another format", formerFile);
    }
    if (before.name !== "" && name !== undefined && before.name !== name) {
      throw foreign(before.name, name);
    }
    const state = { ...before, name: name ?? before.name, starts: before.starts + 1n };
    const journal = createJournal(storage);
    if (found === undefined) await journal.rewrite(state);
    else await journal.resume(found.end, state);
    return { journal, state };
  } catch (error) {
    if (error instanceof TenfoldError) throw error;
    throw new TenfoldError(
      "TENFOLD_COORDINATOR_NODE_STORAGE_FAILED",
      `Reading or writing ${journalFile} failed: ${errorReason(error)}`,
      { cause: error },
    );
  }
}

/** Makes the file of a state. */
export async function writeJournal(storage: LogFolder, state: JournalState): Promise<void> {
  const journal = createJournal(storage);
  await journal.rewrite(state);
  await journal.close();
}

/** @throws TENFOLD_COORDINATOR_NODE_DATA_UNKNOWN, TENFOLD_COORDINATOR_NODE_DATA_DAMAGED */
export function readState(file: Uint8Array): { state: JournalState; end: number } {
  const head = readHead(file);
  if (head === undefined) throw unknownData("no data of a coordinator");
  if (head.formatVersion !== logFormatVersion) throw unknownData(`format ${head.formatVersion}`);
  const frames = readFrames(file, head.acknowledgedBytes);
  if (frames === undefined) throw damaged("a part that was written whole has changed");
  try {
    return { state: replay(frames.contents), end: frames.end };
  } catch (error) {
    if (error instanceof RangeError) throw damaged(error.message);
    throw error;
  }
}

interface OpenJournal extends Journal {
  /** Goes on with a file that is there, behind its last whole frame. */
  resume(end: number, start: Pick<JournalState, "clusterId" | "name" | "starts">): Promise<void>;
}

function createJournal(storage: LogFolder): OpenJournal {
  let log: LogWriter | undefined;
  let stateBytes = 0;
  /** Frames that are committed while the file is written anew. */
  let missed: Uint8Array[] | undefined;
  let rewriting: Promise<void> | undefined;
  let last: Promise<unknown> = Promise.resolve();

  /** One after the other, whatever became of the one before. */
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const result = last.then(work, work);
    last = result;
    return result;
  };
  const append = async (record: Encodable<typeof logRecord>): Promise<void> => {
    if (log === undefined) throw new Error("the journal is closed, or its folder failed");
    const frame = encodeFrame(encode(logRecord, record));
    await log.append(frame);
    missed?.push(frame);
  };
  const takeOver = async (next: LogFile, told: number, frames: Uint8Array[]) => {
    const end = await writeFrames(next, told, frames);
    await next.write(encodeHead(end), 0);
    await storage.rename(nextFile, journalFile);
    const former = log;
    // Until the new name is on disk nothing may be added: a crash could bring back the old file.
    log = undefined;
    await former?.close();
    await storage.sync();
    log = logWriter(next, end);
    stateBytes = told;
  };
  const writeAnew = async (state: JournalState): Promise<void> => {
    const frames: Uint8Array[] = [];
    missed = frames;
    let next: LogFile | undefined;
    try {
      await storage.remove(nextFile);
      const file = await storage.open(nextFile);
      next = file;
      const told = await writeFrames(file, logHeadBytes, stateFrames(state));
      await inTurn(() => takeOver(file, told, frames));
    } catch (error) {
      await next?.close();
      // On a full disk it would be in the way.
      await storage.remove(nextFile).catch(() => {});
      // Not at once again: the disk may be full.
      stateBytes = log?.end ?? 0;
      throw error;
    }
  };
  return {
    get bytes() {
      return log?.end ?? 0;
    },
    get isOvergrown() {
      return rewriting === undefined && this.bytes > 2 * stateBytes + growthBytes;
    },
    commit: (batch) => inTurn(() => append(recordOf(batch))),
    rewrite(state) {
      rewriting ??= writeAnew(state).finally(() => {
        [rewriting, missed] = [undefined, undefined];
      });
      return rewriting;
    },
    mark: () => inTurn(async () => await log?.mark()),
    async resume(end, { clusterId, name, starts }) {
      log = logWriter(await storage.open(journalFile), end);
      await inTurn(() => append({ clusterId, name, starts }));
    },
    async close() {
      // The folder is somebody else's afterwards: no rename may come later.
      await rewriting?.catch(() => {});
      await this.mark().catch(() => {});
      await inTurn(async () => {
        await log?.close();
        log = undefined;
      });
    },
  };
}

function* stateFrames(state: JournalState): Generator<Uint8Array> {
  for (const content of tellState(state)) yield encodeFrame(content);
}

/** @returns where the last one ends */
async function writeFrames(
  file: LogFile,
  start: number,
  frames: Iterable<Uint8Array>,
): Promise<number> {
  let at = start;
  for (const frame of frames) {
    await file.write(frame, at);
    at += frame.length;
  }
  return at;
}

function recordOf(batch: JournalBatch): Encodable<typeof logRecord> {
  const { revised, granted, ended, compacted } = batch;
  return {
    revised: revised.map(toldRevised),
    granted,
    ended: ended.map((id) => ({ id })),
    compacted: compacted === undefined ? undefined : { revision: compacted },
  };
}

function unknownData(came: string, file = journalFile): TenfoldError {
  return new TenfoldError(
    "TENFOLD_COORDINATOR_NODE_DATA_UNKNOWN",
    `${file} has ${came}, this version reads format ${logFormatVersion}. It is untouched.`,
    { details: { came, expected: logFormatVersion } },
  );
}

function damaged(how: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_COORDINATOR_NODE_DATA_DAMAGED",
    `${journalFile} is damaged: ${how}. It is untouched.`,
  );
}

function foreign(came: string, expected: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_COORDINATOR_NODE_DATA_FOREIGN",
    `The data is that of "${came}", not of "${expected}". It is untouched.`,
    { details: { came, expected } },
  );
}
