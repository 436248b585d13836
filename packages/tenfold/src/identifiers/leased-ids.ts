import { isTenfoldError, TenfoldError } from "../runtime/errors.ts";
import { numberOption } from "../runtime/options.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import type { Registry } from "../telemetry/registry.ts";
import type { TimedGenerator } from "./id-generator.ts";
import { type LeasedWorker, LeaseKeeper } from "./lease-keeper.ts";
import { leaseMetrics } from "./lease-metrics.ts";
import type { WorkerRecords } from "./worker-records.ts";

export interface LeasedIdsOptions<Generator extends TimedGenerator> {
  readonly records: WorkerRecords;
  /** Makes the generator of a number: `(lease) => snowflake(lease)`. */
  readonly generator: (lease: LeasedWorker) => Generator;
  /** Who claims, for people; made unique by itself. */
  readonly owner: string;
  /** How many numbers there are, counted from 0: 1 … 65,536. */
  readonly workers: number;
  /**
   * How much time is reserved ahead: 100 … 3,600,000. Ids go on for half of it, at least, while the
   * records are out of reach.
   */
  readonly windowMs?: number;
  readonly runtime?: Partial<Runtime>;
  readonly metrics?: Registry;
}

export const leasedIdsDefaults: { readonly windowMs: number } = Object.freeze({
  /** A coordinator's restart takes seconds. Who takes a number over need not wait for any of it. */
  windowMs: 30_000,
});

export interface LeasedIdsStatus {
  readonly worker: number | undefined;
  /** How far the last id is ahead of the wall clock, in milliseconds; 0 when it is not. */
  readonly aheadMs: number;
  /** How much reserved time is left, in milliseconds. */
  readonly windowLeftMs: number;
}

/** A generator under a worker number that is this process's alone. */
export interface LeasedIds<Generator extends TimedGenerator> extends AsyncDisposable {
  /**
   * Calls `make` with the generator, the time to make ids at, and what they must come before:
   * `ids.use((snowflakes, wallMs, beforeMs) => snowflakes.next(wallMs, beforeMs))`.
   *
   * @throws TENFOLD_IDENTIFIERS_LEASE_MISSING (retryable) while there is no number, or no reserved
   *   time left because the records are out of reach; and what `make` throws
   */
  use<T>(make: (generator: Generator, wallMs: number, beforeMs: number) => T): T;
  /**
   * As `use`, but waits where that throws TENFOLD_IDENTIFIERS_AHEAD: when ids are asked for faster
   * than their layout has numbers.
   *
   * @throws TENFOLD_IDENTIFIERS_LEASE_MISSING; TENFOLD_ABORTED when the signal fires first
   */
  whenFree<T>(
    make: (generator: Generator, wallMs: number, beforeMs: number) => T,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<T>;
  status(): LeasedIdsStatus;
  /** Gives the number up, and the reserved time that is left. Idempotent, never throws. */
  close(): Promise<void>;
}

/** A wait for room is looked at again this often at least. */
const waitMsMax = 100;

/**
 * Claims a worker number, keeps time reserved under it, and claims another when it is lost. Ids are
 * unique whatever clocks, pauses, restarts and lost leases do, see `timeWindow`.
 *
 * @throws TENFOLD_OPTION_INVALID
 */
export function createLeasedIds<Generator extends TimedGenerator>(
  options: LeasedIdsOptions<Generator>,
): LeasedIds<Generator> {
  const runtime = runtimeWith(options.runtime);
  const { clock } = runtime;
  const { records, generator, owner, windowMs = leasedIdsDefaults.windowMs } = options;
  numberOption("windowMs", windowMs, { min: 100, max: 3_600_000 });
  const count = numberOption("workers", options.workers, { min: 1, max: 65_536 });

  const status = (): LeasedIdsStatus => {
    const { held } = keeper;
    const wallMs = clock.wallNow();
    const aheadMs = Math.max(0, (held?.generator.lastMs ?? wallMs) - wallMs);
    const windowLeftMs = Math.max(0, (held?.window.untilMs ?? wallMs) - wallMs);
    return { worker: held?.lease.worker, aheadMs, windowLeftMs };
  };
  const metrics = leaseMetrics(options.metrics, status, () => keeper.held?.generator);
  const { onClaim, onLost } = metrics;
  const keeping = { records, generator, owner, count, windowMs, runtime, onClaim, onLost };
  const keeper = new LeaseKeeper(keeping);

  const use: LeasedIds<Generator>["use"] = (make) => {
    const { held } = keeper;
    if (held === undefined) throw leaseMissing("has no worker number");
    const [wallMs, nowMs] = [clock.wallNow(), clock.now()];
    const { lastMs } = held.generator;
    const timeMs = held.window.timeMs(wallMs, nowMs, lastMs);
    if (held.window.wanted(wallMs, lastMs) !== undefined) keeper.wake();
    if (timeMs === undefined) throw leaseMissing("has used up the time it had reserved");
    return make(held.generator, timeMs, held.window.beforeMs(wallMs, nowMs));
  };
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= keeper.close();
    return closed;
  };
  return {
    use,
    async whenFree(make, { signal } = {}) {
      for (;;) {
        try {
          return use(make);
        } catch (error) {
          if (!isTenfoldError(error, "TENFOLD_IDENTIFIERS_AHEAD")) throw error;
          metrics.onWait();
          await clock.sleep(Math.min(error.retryAfterMs ?? 1, waitMsMax), { signal });
        }
      }
    },
    status,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function leaseMissing(what: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_IDENTIFIERS_LEASE_MISSING",
    `This process ${what}; it asks again for more. Try again shortly, or at another instance.`,
    { retryable: true, retryAfterMs: 1_000 },
  );
}
