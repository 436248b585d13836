import type { Log } from "../../runtime/log.ts";
import { grpcStatus } from "../etcd/grpc-frame.ts";
import { GrpcError, refusal } from "./grpc-error.ts";
import type { Journal, StoredLease } from "./journal.ts";
import type { KeyStore, Revised, StoreChange, StoreEvent } from "./key-store.ts";
import type { Leases } from "./leases.ts";
import type { CoordinatorNodeLimits } from "./limits.ts";

/** What one request may change. All of it applies, at one revision, or none of it. */
export interface Write {
  apply(change: StoreChange): StoreEvent | undefined;
  grant(lease: StoredLease): void;
  /** Ends the lease and removes its keys. */
  endLease(id: bigint): void;
}

/** A request's result and the revision at which it was applied: its own, not the batch's last. */
export interface Written<Result> {
  readonly result: Result;
  readonly revision: bigint;
}

/**
 * Writes one after the other, as many as are waiting in one commit of the disk. Nobody is told of a
 * write, and no read sees it, before it is durable: applying, committing and answering happen in
 * one turn of the event loop.
 */
export interface WriteQueue {
  /** @throws GrpcError what `work` throws, or unavailable when the disk refuses */
  run<Result>(work: (write: Write) => Result): Promise<Written<Result>>;
  /** Commits what waits and refuses what comes. */
  close(): void;
}

export interface WriteQueueParts {
  readonly store: KeyStore;
  readonly leases: Leases;
  readonly journal: Journal;
  readonly limits: CoordinatorNodeLimits;
  readonly log: Log;
  /** Called after a commit with all its revisions, in order. */
  readonly onDurable: (revised: readonly Revised[]) => void;
}

interface Job {
  readonly work: (write: Write) => unknown;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

interface Applied {
  readonly job: Job;
  readonly written: Written<unknown>;
  readonly revised: Revised | undefined;
  readonly granted: readonly StoredLease[];
  readonly ended: readonly StoredLease[];
}

export function createWriteQueue(parts: WriteQueueParts): WriteQueue {
  const { store, leases, journal, limits, log } = parts;
  let waiting: Job[] = [];
  let closed = false;

  const flush = (): void => {
    const jobs = waiting;
    waiting = [];
    const applied = jobs.flatMap((job) => applyJob(store, leases, job) ?? []);
    const revised = applied.flatMap((one) => one.revised ?? []);
    const granted = applied.flatMap((one) => one.granted);
    const ended = applied.flatMap((one) => one.ended.map((lease) => lease.id));
    try {
      if (revised.length + granted.length + ended.length > 0) {
        journal.commit({ revised, granted, ended });
      }
    } catch (error) {
      log.error("a commit failed; nothing of it was kept", { writes: jobs.length, error });
      for (const one of applied.reverse()) {
        takeBack(store, leases, one);
        one.job.reject(new GrpcError(grpcStatus.unavailable, "etcdserver: the disk refused it"));
      }
      return;
    }
    if (revised.length > 0) parts.onDurable(revised);
    for (const one of applied) one.job.resolve(one.written as never);
  };

  return {
    run(work) {
      if (closed) return Promise.reject(refusal("stopped"));
      if (waiting.length >= limits.writesWaitingMax) {
        return Promise.reject(refusal("tooManyRequests"));
      }
      return new Promise((resolve, reject) => {
        if (waiting.length === 0) setImmediate(flush);
        waiting.push({ work, resolve: resolve as (result: never) => void, reject });
      });
    },
    close() {
      closed = true;
      flush();
    },
  };
}

function applyJob(store: KeyStore, leases: Leases, job: Job): Applied | undefined {
  const write = store.begin();
  const granted: StoredLease[] = [];
  const ended: StoredLease[] = [];
  try {
    const result = job.work({
      apply: (change) => write.apply(change),
      grant: (lease) => void granted.push(lease),
      endLease(id) {
        const lease = leases.get(id);
        if (lease === undefined) throw refusal("leaseNotFound");
        for (const key of leases.keysOf(id)) write.apply({ delete: key });
        ended.push(lease);
      },
    });
    const revised = write.end();
    if (revised !== undefined) leases.track(revised.events);
    for (const lease of granted) leases.add(lease);
    for (const lease of ended) leases.remove(lease.id);
    const written = { result, revision: store.revision };
    return { job, written, revised, granted, ended };
  } catch (error) {
    write.undo();
    job.reject(error);
    return undefined;
  }
}

function takeBack(store: KeyStore, leases: Leases, applied: Applied): void {
  for (const lease of applied.granted) leases.remove(lease.id);
  for (const lease of applied.ended) leases.add(lease);
  if (applied.revised === undefined) return;
  const undone = applied.revised.events.map(({ key, now, before }) => {
    return { key, now: before, before: now };
  });
  leases.track(undone.reverse());
  store.takeBack(applied.revised);
}
