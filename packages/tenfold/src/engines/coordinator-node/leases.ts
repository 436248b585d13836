import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { StoredLease } from "./journal-state.ts";
import type { StoreEvent } from "./key-store.ts";
import { byCodeUnit } from "./sorted-keys.ts";
import type { WriteQueue } from "./write-queue.ts";

/**
 * Who is alive. Deadlines live in memory only: after a restart every lease has its full time again.
 */
export interface Leases {
  readonly size: number;
  ids(): readonly bigint[];
  all(): readonly StoredLease[];
  get(id: bigint): StoredLease | undefined;
  add(lease: StoredLease): void;
  remove(id: bigint): void;
  /** Starts the lease's time anew; false when there is none. */
  renew(id: bigint): boolean;
  /** Whole seconds left, rounded down, at least 0. */
  remainingSeconds(id: bigint): bigint;
  keysOf(id: bigint): readonly string[];
  /** Moves keys between leases as the events say. */
  track(events: readonly LeasedChange[]): void;
  isExpired(id: bigint): boolean;
  expired(): readonly bigint[];
}

/** What leases look at in a change of a key. */
export type LeasedChange = Pick<StoreEvent, "key" | "now" | "before">;

interface Lease extends StoredLease {
  deadline: number;
}

export function leases(clock: Pick<Clock, "now">, initial: readonly StoredLease[]): Leases {
  const all = new Map<bigint, Lease>();
  const keys = new Map<bigint, Set<string>>();
  const deadlineOf = (lease: StoredLease): number => clock.now() + Number(lease.ttlSeconds) * 1_000;
  const add = (lease: StoredLease): void => {
    all.set(lease.id, { ...lease, deadline: deadlineOf(lease) });
  };
  const isExpired = (id: bigint): boolean => {
    const lease = all.get(id);
    return lease !== undefined && lease.deadline <= clock.now();
  };
  for (const lease of initial) add(lease);

  return {
    get size() {
      return all.size;
    },
    ids: () => [...all.keys()],
    all: () => [...all.values()],
    get: (id) => all.get(id),
    add,
    remove: (id) => void all.delete(id),
    renew(id) {
      const lease = all.get(id);
      if (lease === undefined) return false;
      lease.deadline = deadlineOf(lease);
      return true;
    },
    remainingSeconds(id) {
      const leftMs = (all.get(id)?.deadline ?? 0) - clock.now();
      return BigInt(Math.max(0, Math.floor(leftMs / 1_000)));
    },
    // In this order they end: as etcd ends them.
    keysOf: (id) => [...(keys.get(id) ?? [])].sort(byCodeUnit),
    track(events) {
      for (const { key, now, before } of events) {
        const owned = keys.get(before?.lease ?? 0n);
        owned?.delete(key);
        if (owned?.size === 0) keys.delete(before?.lease ?? 0n);
        if (now === undefined || now.lease === 0n) continue;
        const owns = keys.get(now.lease) ?? new Set();
        keys.set(now.lease, owns.add(key));
      }
    },
    isExpired,
    expired: () => [...all.keys()].filter(isExpired),
  };
}

export interface LeaseEndParts {
  readonly leases: Pick<Leases, "expired" | "isExpired">;
  readonly writes: Pick<WriteQueue, "run">;
  readonly clock: Clock;
  readonly log: Log;
}

/** Leases end at most this long after their time. */
const sweepEveryMs = 200;

/** Ends the leases whose time is over, until it is told to stop. */
export function endLeasesInTime({ leases, writes, clock, log }: LeaseEndParts): () => void {
  /** Their end waits for the disk already; a disk that stalls must not gather more. */
  const ending = new Set<bigint>();
  const endThem = (): void => {
    for (const id of leases.expired()) {
      if (ending.has(id)) continue;
      ending.add(id);
      writes
        .run((write) => {
          // It may have been renewed or revoked meanwhile.
          if (leases.isExpired(id)) write.endLease(id);
        })
        .catch((error: unknown) => log.warn("ending a lease failed", { lease: id, error }))
        .finally(() => ending.delete(id));
    }
  };
  const sweep = (): void => {
    // After the event loop was blocked, renewals that came in time are still in the sockets: they
    // are read first.
    if (leases.expired().length > 0) setImmediate(endThem);
    timer = clock.setTimer(sweepEveryMs, sweep, { keepAlive: false });
  };
  let timer = clock.setTimer(sweepEveryMs, sweep, { keepAlive: false });
  return () => timer.cancel();
}
