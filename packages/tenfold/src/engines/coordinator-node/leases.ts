import type { Clock } from "../../runtime/clock.ts";
import type { StoredLease } from "./journal.ts";
import type { StoreEvent } from "./key-store.ts";

/**
 * Who is alive. Deadlines live in memory only: after a restart every lease has its full time again.
 */
export interface Leases {
  readonly size: number;
  ids(): readonly bigint[];
  get(id: bigint): StoredLease | undefined;
  add(lease: StoredLease): void;
  remove(id: bigint): void;
  /** Starts the lease's time anew; false when there is none. */
  renew(id: bigint): boolean;
  /** Whole seconds left, rounded down, at least 0. */
  remainingSeconds(id: bigint): bigint;
  keysOf(id: bigint): readonly string[];
  /** Moves keys between leases as the events say. */
  track(events: readonly StoreEvent[]): void;
  isExpired(id: bigint): boolean;
  expired(): readonly bigint[];
}

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
    keysOf: (id) => [...(keys.get(id) ?? [])],
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
