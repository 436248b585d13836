import { type Candidate, createCandidate, fleetKeys, type Hold } from "tenfold/coordination";
import type { ServiceContext } from "tenfold/fleet";
import type { DoneMessage, Queue } from "tenfold/queueing";
import { errorText } from "tenfold/runtime";

import type { PostStore } from "./post-store.ts";

export interface AuditOptions {
  readonly context: Pick<
    ServiceContext,
    "coordinator" | "instance" | "metrics" | "runtime" | "session"
  >;
  readonly queue: Queue;
  readonly store: PostStore;
}

const everyMs = 500;
const batchMax = 500;
/** Old rows a round: 1.4 million an hour. */
const againMax = 200;
/** One look-up of the store takes them all. */
const missingMax = 4_000;
const secondLookMs = 1_000;

interface Missing {
  readonly row: DoneMessage;
  readonly sinceMs: number;
}

/**
 * Reads back every post that the queue calls done and counts those that their shard does not
 * have: `tenfold_audit_missing` is the number of acknowledged posts that are lost right now, up to
 * 4,000. Between new posts it goes through the older ones again, for as long as the queue knows
 * them. One auditor acts in a fleet, by election; it only reads, so it needs no fence.
 */
export function createAudit(options: AuditOptions): Candidate {
  const { context, queue, store } = options;
  const { clock, log } = context.runtime;
  const checked = context.metrics.counter({
    name: "tenfold_audit_checked_total",
    help: "Acknowledged writes that were read back from their store.",
  });
  const missingGauge = context.metrics.gauge({
    name: "tenfold_audit_missing",
    help: "Acknowledged writes that their store does not have.",
  });
  /** Rows looked for and not found, by sequence: looked for again in every round. */
  const missing = new Map<bigint, Missing>();
  let after = 0n;
  let againAfter = 0n;
  let unread = 0;

  const lookFor = (rows: readonly DoneMessage[]): void => {
    for (const row of rows) {
      if (!missing.has(row.sequence)) missing.set(row.sequence, { row, sinceMs: clock.now() });
    }
  };

  /** Takes the new rows, and when there are few of them some old ones, round and round. */
  const takeRows = async (): Promise<void> => {
    // While so many are missing nothing is taken: what was not looked at yet stays to be so.
    if (missing.size + batchMax + againMax > missingMax) return;
    const fresh = await queue.completed({ after, limit: batchMax });
    after = fresh.at(-1)?.completion ?? after;
    unread += fresh.length;
    lookFor(fresh);
    if (fresh.length === batchMax) return;
    const again = await queue.completed({ after: againAfter, limit: againMax });
    againAfter = again.length < againMax ? 0n : (again.at(-1)?.completion ?? 0n);
    lookFor(again);
  };

  const round = async (): Promise<void> => {
    await takeRows();
    const rows = [...missing.values()].map(({ row }) => row);
    const found = await store.present(
      rows.map(({ key, sort }) => ({ userId: BigInt(key), id: BigInt(sort) })),
    );
    for (const { sort, sequence } of rows) {
      if (found.has(BigInt(sort))) missing.delete(sequence);
    }
    checked.add(unread);
    unread = 0;
    const now = clock.now();
    const lost = [...missing.values()].filter(({ sinceMs }) => now - sinceMs > secondLookMs);
    missingGauge.set(lost.length);
  };

  const lead = async (term: Hold): Promise<void> => {
    log.info("this process audits the writes", { term: term.key });
    try {
      while (!term.signal.aborted) {
        await round().catch((error: unknown) => {
          log.warn("audit round failed; it is repeated", { reason: errorText(error) });
        });
        await clock.sleep(everyMs, { signal: term.signal }).catch(() => {});
      }
    } finally {
      missingGauge.set(0);
    }
  };
  return createCandidate({
    coordinator: context.coordinator,
    prefix: fleetKeys(context.instance.fleet).election("audit"),
    session: context.session,
    value: context.instance.name,
    lead,
    runtime: context.runtime,
  });
}
