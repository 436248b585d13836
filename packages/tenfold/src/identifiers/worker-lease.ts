import { TenfoldError } from "../runtime/errors.ts";
import type { StoredWorker, WorkerRecord, WorkerRecords } from "./worker-records.ts";

export interface ClaimOptions {
  /** Unlike any other claim's, ever; the same for a second try after an error. */
  readonly owner: string;
  /** Numbers 0 … count − 1 exist. */
  readonly count: number;
  readonly wallMs: number;
  /** How much to reserve at once. */
  readonly windowMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** A worker number, and the times that are reserved under it. */
export interface WorkerLease {
  readonly worker: number;
  readonly epoch: number;
  /** Ids begin here: what was reserved before. */
  readonly fromMs: number;
  /** Reserved so far; grows with `reserve`. */
  readonly reservedUntilMs: number;
  /**
   * Reserves times up to `untilMs`; they may be used once it resolves. After any other error than
   * the one named here try again.
   * @throws TENFOLD_IDENTIFIERS_LEASE_LOST when another claimed the number; what was reserved
   *   before stays ours
   */
  reserve(untilMs: number, signal?: AbortSignal): Promise<void>;
  /** Gives the number up: times before `usedUntilMs` are used, the rest is free. */
  release(usedUntilMs: number): Promise<void>;
}

/** Every round ends in a claim, in an error, or because another was faster. */
const roundsMax = 16;

/**
 * Claims the lowest number that nobody holds and whose reserved time is past, else the one whose
 * reserved time ends first. After a restore of the records, times begin where holders of before may
 * have reserved to: two windows later.
 *
 * @throws TENFOLD_IDENTIFIERS_WORKERS_TAKEN (retryable), and what the records throw
 */
export async function claimWorker(
  records: WorkerRecords,
  options: ClaimOptions,
): Promise<WorkerLease> {
  const { count, signal } = options;
  const restoredMs = await restoredAt(records, signal);
  for (let round = 0; round < roundsMax; round++) {
    const best = freeWorker(await records.list({ signal }), options);
    if (best === undefined) break;
    const lease = await claimOne(records, best, options, restoredMs);
    if (lease !== undefined) return lease;
  }
  throw new TenfoldError(
    "TENFOLD_IDENTIFIERS_WORKERS_TAKEN",
    `All ${count} worker numbers are held: stop a holder, or use a layout with more.`,
    { retryable: true, details: { count } },
  );
}

type Candidate = Pick<StoredWorker, "worker"> & Partial<StoredWorker>;

function freeWorker(
  stored: readonly StoredWorker[],
  { owner, count, wallMs }: ClaimOptions,
): Candidate | undefined {
  const ours = stored.find(({ record }) => record.owner === owner);
  if (ours !== undefined) return ours;
  const known = new Map(stored.map((each) => [each.worker, each]));
  let best: StoredWorker | undefined;
  for (let worker = 0; worker < count; worker++) {
    const each = known.get(worker);
    if (each === undefined) return { worker };
    if (each.held) continue;
    if (each.record.reservedUntilMs <= wallMs) return each;
    if (best === undefined || each.record.reservedUntilMs < best.record.reservedUntilMs) {
      best = each;
    }
  }
  return best;
}

async function claimOne(
  records: WorkerRecords,
  { worker, version, record: before }: Candidate,
  { owner, wallMs, windowMs, signal }: ClaimOptions,
  restoredMs: number,
): Promise<WorkerLease | undefined> {
  const leastMs = restoredMs === 0 ? 0 : restoredMs + 2 * windowMs;
  const fromMs = Math.max(leastMs, before?.reservedUntilMs ?? 0);
  const record: WorkerRecord = {
    owner,
    epoch: (before?.epoch ?? 0) + 1,
    reservedUntilMs: Math.max(wallMs, fromMs) + windowMs,
  };
  // A claim whose answer was lost is there already, held by our own session.
  const purpose = before?.owner === owner ? "keep" : "claim";
  const replacement = { worker, version, record, purpose } as const;
  const outcome = await records.replace(replacement, { signal });
  if (!outcome.replaced) return undefined;
  const claimed: StoredWorker = { worker, record, version: outcome.version, held: true };
  return leaseOf(records, claimed, fromMs, restoredMs);
}

/** @param restoredMs when the records had been put back last, at the claim */
function leaseOf(
  records: WorkerRecords,
  { worker, ...claimed }: StoredWorker,
  fromMs: number,
  restoredMs: number,
): WorkerLease {
  let { record, version } = claimed;

  const replace = async (
    reservedUntilMs: number,
    purpose: "keep" | "release",
    signal?: AbortSignal,
  ): Promise<boolean> => {
    const wanted: WorkerRecord = { ...record, reservedUntilMs };
    const outcome = await records.replace({ worker, version, record: wanted, purpose }, { signal });
    if (outcome.replaced) {
      record = wanted;
      version = outcome.version;
      return true;
    }
    const { current } = outcome;
    if (current === undefined || !isSameClaim(current.record, record)) throw lost(worker, current);
    // An earlier try of ours was applied, though its answer was lost.
    record = current.record;
    version = current.version;
    return false;
  };
  return {
    worker,
    epoch: claimed.record.epoch,
    fromMs,
    get reservedUntilMs() {
      return record.reservedUntilMs;
    },
    async reserve(untilMs, signal) {
      // Records put back since may name us again, though another has had the number meanwhile.
      if ((await restoredAt(records, signal)) !== restoredMs) throw lost(worker, undefined);
      for (let round = 0; round < roundsMax; round++) {
        if (record.reservedUntilMs >= untilMs) return;
        if (await replace(untilMs, "keep", signal)) return;
      }
      throw lost(worker, undefined);
    },
    async release(usedUntilMs) {
      for (let round = 0; round < roundsMax; round++) {
        if (await replace(usedUntilMs, "release")) return;
      }
    },
  };
}

async function restoredAt(records: WorkerRecords, signal?: AbortSignal): Promise<number> {
  return (await records.restoredAtMs?.({ signal })) ?? 0;
}

function isSameClaim(a: WorkerRecord, b: WorkerRecord): boolean {
  return a.owner === b.owner && a.epoch === b.epoch;
}

function lost(worker: number, current: StoredWorker | undefined): TenfoldError {
  return new TenfoldError(
    "TENFOLD_IDENTIFIERS_LEASE_LOST",
    `The worker number ${worker} was claimed by ${current?.record.owner ?? "another"}.`,
    { details: { worker } },
  );
}
