import type { Log } from "../../runtime/log.ts";
import { type GrpcError, refusal } from "./grpc-error.ts";
import type { History } from "./history.ts";
import type { Journal } from "./journal.ts";
import type { StoredLease } from "./journal-state.ts";
import type { KeyStore, Revised, StoreChange, StoreEvent } from "./key-store.ts";
import type { Leases } from "./leases.ts";
import type { CoordinatorNodeLimits } from "./limits.ts";

/** What one request may change. All of it applies, at one revision, or none of it. */
export interface Write {
  /** What it has changed so far. */
  readonly events: readonly StoreEvent[];
  apply(change: StoreChange): StoreEvent | undefined;
  grant(lease: StoredLease): void;
  /** Ends the lease and removes its keys. */
  endLease(id: bigint): void;
  /** Gives up what is older than the revision. @throws GrpcError as etcd's Compact does */
  compact(revision: bigint): void;
}

/** A request's result and the revision at which it was applied: its own, not the batch's last. */
export interface Written<Result> {
  readonly result: Result;
  readonly revision: bigint;
}

/**
 * Writes one after the other, as many as are waiting in one commit of the disk, which blocks
 * nobody. While it lasts the store is ahead of what may be told: reads look at `durableRevision`.
 */
export interface WriteQueue {
  /** The newest revision that is on disk, with all before it. */
  readonly durableRevision: bigint;
  /** @throws GrpcError what `work` throws, or that the disk refuses */
  run<Result>(work: (write: Write) => Result): Promise<Written<Result>>;
  /** Looks when store, leases and disk say the same: now, or after the commit under way. */
  atRest<Result>(look: () => Result): Promise<Result>;
  /** Refuses what comes; resolves when what waits was answered. */
  close(): Promise<void>;
}

export interface WriteQueueParts {
  readonly store: KeyStore;
  readonly history: History;
  readonly leases: Leases;
  readonly journal: Pick<Journal, "commit">;
  readonly limits: CoordinatorNodeLimits;
  readonly log: Log;
  /** Called after a commit with all its revisions, in order; store and disk are then the same. */
  readonly onDurable: (revised: readonly Revised[]) => void;
}

interface Job {
  readonly work: (write: Write) => unknown;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

interface Applied {
  readonly revised: Revised | undefined;
  readonly granted: readonly StoredLease[];
  readonly ended: readonly StoredLease[];
  readonly compacted: bigint | undefined;
  /** Tells the caller. */
  readonly answer: () => void;
  readonly reject: (error: unknown) => void;
}

/** So that a commit stays short: what is over waits for the next one. */
const commitBytes = 8_388_608;

export function createWriteQueue(parts: WriteQueueParts): WriteQueue {
  const { store, history, journal, limits, log } = parts;
  let waiting: Job[] = [];
  let durableRevision = store.revision;
  let isClosed = false;
  let working: Promise<void> | undefined;
  let isCommitting = false;
  const looks: (() => void)[] = [];

  const takeJobs = (): Applied[] => {
    const batch: Applied[] = [];
    let taken = 0;
    for (let bytes = 0; taken < waiting.length && bytes < commitBytes; taken++) {
      const applied = applyJob(parts, waiting[taken] as Job, newest(batch) ?? history.compacted);
      batch.push(applied);
      bytes += applied.revised?.events.reduce((sum, { wire }) => sum + wire.length, 0) ?? 0;
    }
    waiting = waiting.slice(taken);
    return batch;
  };
  const commit = async (batch: readonly Applied[]): Promise<void> => {
    const revised = batch.flatMap((one) => one.revised ?? []);
    const granted = batch.flatMap((one) => one.granted);
    const ended = batch.flatMap((one) => one.ended.map((lease) => lease.id));
    const compacted = newest(batch);
    try {
      if (revised.length + granted.length + ended.length > 0 || compacted !== undefined) {
        await journal.commit({ revised, granted, ended, compacted });
      }
    } catch (error) {
      log.error("a commit failed; nothing of it was kept", { writes: batch.length, error });
      for (const one of batch.toReversed()) takeBack(parts, one);
      for (const one of batch) one.reject(diskRefusal(error));
      return;
    }
    durableRevision = store.revision;
    if (compacted !== undefined) history.compact(compacted);
    history.trim();
    if (revised.length > 0) tell(parts, revised);
    for (const one of batch) one.answer();
  };
  const work = async (): Promise<void> => {
    // What came in the same turn of the event loop shares a commit.
    await new Promise(setImmediate);
    while (waiting.length > 0) {
      isCommitting = true;
      await commit(takeJobs());
      isCommitting = false;
      for (const look of looks.splice(0)) look();
    }
    working = undefined;
  };

  return {
    get durableRevision() {
      return durableRevision;
    },
    run(task) {
      if (isClosed) return Promise.reject(refusal("stopped"));
      if (waiting.length >= limits.writesWaitingMax) {
        return Promise.reject(refusal("tooManyRequests"));
      }
      return new Promise((resolve, reject) => {
        waiting.push({ work: task, resolve: resolve as (result: never) => void, reject });
        working ??= work();
      });
    },
    atRest: (look) =>
      new Promise((resolve, reject) => {
        const lookNow = (): void => {
          try {
            resolve(look());
          } catch (error) {
            reject(error);
          }
        };
        if (isCommitting) looks.push(lookNow);
        else lookNow();
      }),
    async close() {
      isClosed = true;
      await working;
    },
  };
}

/** A fault in telling watchers must not keep the writers waiting for ever. */
function tell({ onDurable, log }: WriteQueueParts, revised: readonly Revised[]): void {
  try {
    onDurable(revised);
  } catch (error) {
    log.error("watchers could not be told of a commit", { error });
  }
}

function newest(batch: readonly Applied[]): bigint | undefined {
  return batch.findLast(({ compacted }) => compacted !== undefined)?.compacted;
}

/** @param compacted what is given up already, on disk or in this batch */
function applyJob(
  { store, history, leases }: WriteQueueParts,
  job: Job,
  compacted: bigint,
): Applied {
  const write = store.begin();
  const granted: StoredLease[] = [];
  const ended: StoredLease[] = [];
  let compact: bigint | undefined;
  try {
    const result = job.work({
      events: write.events,
      apply: (change) => write.apply(change),
      grant: (lease) => void granted.push(lease),
      endLease(id) {
        const lease = leases.get(id);
        if (lease === undefined) throw refusal("leaseNotFound");
        for (const key of leases.keysOf(id)) write.apply({ delete: key });
        ended.push(lease);
      },
      compact(revision) {
        if (revision <= compacted) throw refusal("compacted");
        if (revision > store.revision) throw refusal("futureRevision");
        compact = revision;
      },
    });
    const revised = write.end();
    if (revised !== undefined) {
      history.add(revised);
      leases.track(revised.events);
    }
    for (const lease of granted) leases.add(lease);
    for (const lease of ended) leases.remove(lease.id);
    const written = { result, revision: store.revision };
    const answer = (): void => job.resolve(written as never);
    return { revised, granted, ended, compacted: compact, answer, reject: job.reject };
  } catch (error) {
    write.undo();
    // Told with the others: it may have been refused for what is not on disk yet.
    const refuse = (): void => job.reject(error);
    const nothing = { revised: undefined, granted: [], ended: [], compacted: undefined };
    return { ...nothing, answer: refuse, reject: job.reject };
  }
}

function takeBack({ store, history, leases }: WriteQueueParts, applied: Applied): void {
  for (const lease of applied.granted) leases.remove(lease.id);
  for (const lease of applied.ended) leases.add(lease);
  if (applied.revised === undefined) return;
  const undone = applied.revised.events.map((event) => {
    return { ...event, now: event.before, before: event.now };
  });
  leases.track(undone.reverse());
  history.drop(applied.revised);
  store.takeBack(applied.revised);
}

const fullDisk: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

function diskRefusal(error: unknown): GrpcError {
  const isFull = fullDisk.has((error as { code?: unknown } | undefined)?.code);
  return refusal(isFull ? "noSpace" : "diskFailed");
}
