import type { Registry } from "../telemetry/registry.ts";
import type { TimedGenerator } from "./id-generator.ts";
import type { LeasedIdsStatus } from "./leased-ids.ts";

export interface LeaseMetrics {
  onClaim(): void;
  onLost(): void;
  onWait(): void;
}

/** What there is to see of leased ids; counts nothing without a registry. */
export function leaseMetrics(
  registry: Registry | undefined,
  status: () => LeasedIdsStatus,
  generator: () => TimedGenerator | undefined,
): LeaseMetrics {
  if (registry === undefined) return { onClaim() {}, onLost() {}, onWait() {} };
  const ahead = registry.gauge({
    name: "tenfold_identifiers_ahead_seconds",
    help: "How far the last id is ahead of the wall clock.",
  });
  const windowLeft = registry.gauge({
    name: "tenfold_identifiers_window_left_seconds",
    help: "Reserved time that is left for ids.",
  });
  const borrowed = registry.counter({
    name: "tenfold_identifiers_borrowed_total",
    help: "Ids whose time was ahead of the wall clock when they were made.",
  });
  const waits = registry.counter({
    name: "tenfold_identifiers_waits_total",
    help: "Waits because ids were asked for faster than their layout has numbers.",
  });
  const claims = registry.counter({
    name: "tenfold_identifiers_claims_total",
    help: "Worker numbers claimed.",
  });
  const losses = registry.counter({
    name: "tenfold_identifiers_lost_total",
    help: "Worker numbers that another process claimed from this one.",
  });
  let seen: TimedGenerator | undefined;
  let seenBorrowed = 0;
  const countBorrowed = (): void => {
    const current = generator();
    if (seen !== undefined) borrowed.add(seen.borrowed - seenBorrowed);
    if (current !== seen) borrowed.add(current?.borrowed ?? 0);
    seen = current;
    seenBorrowed = current?.borrowed ?? 0;
  };
  registry.beforeRead(() => {
    const { aheadMs, windowLeftMs } = status();
    ahead.set(aheadMs / 1_000);
    windowLeft.set(windowLeftMs / 1_000);
    countBorrowed();
  });
  return {
    onClaim: () => claims.add(),
    onLost: () => losses.add(),
    onWait: () => waits.add(),
  };
}
