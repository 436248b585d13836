import { errorText, TenfoldError } from "../runtime/errors.ts";
import { invalidOption, numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import type { Registry } from "../telemetry/registry.ts";
import { fullJitterMs } from "./backoff.ts";
import { blamesWorld, failedJob, type RetryOptions, retryDefaults } from "./job-verdict.ts";
import type { Job, Queue, Settlement } from "./queue.ts";
import { queueLimits } from "./queue-limits.ts";
import { noWorkerMetrics, type WorkerMetrics, workerMetrics } from "./worker-metrics.ts";

export interface WorkerOptions {
  readonly queue: Queue;
  /**
   * Does the work of a batch; when it returns, the effect of every job is durable. It may be called
   * again for the same job, so it must be idempotent. `signal` aborts when the leases are about to
   * end or the worker is closed. A batch that throws anything but a retryable `TenfoldError` is
   * tried again job by job, so that one bad job takes no neighbours along.
   */
  handle(jobs: readonly Job[], context: { readonly signal: AbortSignal }): Promise<void>;
  /** Batches at a time, 1 … 1,000. */
  readonly concurrency?: number;
  /** Jobs in a batch, 1 … 256. */
  readonly batchMax?: number;
  /** How long a batch may take, 100 … 3,600,000. Also how long a dead worker holds its jobs. */
  readonly leaseMs?: number;
  readonly retry?: Partial<RetryOptions>;
  /** Counts what became of the jobs. */
  readonly metrics?: Registry;
  readonly runtime?: Partial<Runtime>;
}

export const workerDefaults: {
  readonly concurrency: number;
  readonly batchMax: number;
  readonly leaseMs: number;
  readonly waitMs: number;
  readonly graceMs: number;
  readonly settleDeadlineMs: number;
  readonly leaseUsedRatio: number;
  readonly backoff: { readonly baseMs: number; readonly capMs: number };
} = Object.freeze({
  concurrency: 2,
  batchMax: 64,
  leaseMs: 30_000,
  /** How long one claim waits at the owner. */
  waitMs: 10_000,
  graceMs: 10_000,
  settleDeadlineMs: 5_000,
  /** The handler is told to stop before the lease ends, because the answer takes time as well. */
  leaseUsedRatio: 0.9,
  /** Between tries to reach the owner. */
  backoff: Object.freeze({ baseMs: 50, capMs: 2_000 }),
});

export interface Worker {
  /**
   * Stops claiming, gives what is under way `graceMs` to finish, then aborts it and releases its
   * jobs: others get them at once, and the attempt does not count. Idempotent, never throws.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Takes jobs from a queue and has them done, for ever: errors of handlers become retries or dead
 * jobs, and an owner that is away is asked again until it is back.
 *
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN
 */
export function createWorker(options: WorkerOptions): Worker {
  return new QueueWorker(options);
}

const known = [
  "queue",
  "handle",
  "concurrency",
  "batchMax",
  "leaseMs",
  "retry",
  "metrics",
  "runtime",
];

class QueueWorker implements Worker {
  readonly #queue: Queue;
  readonly #handle: WorkerOptions["handle"];
  readonly #batchMax: number;
  readonly #leaseMs: number;
  readonly #retry: RetryOptions;
  readonly #runtime: Runtime;
  readonly #metrics: WorkerMetrics;
  readonly #stopClaiming = new AbortController();
  readonly #stopHandling = new AbortController();
  readonly #loops: Promise<void>[];
  #closed: Promise<void> | undefined;
  #ownerAway = false;

  constructor(options: WorkerOptions) {
    refuseUnknownKeys("createWorker", options, known);
    if (typeof options.handle !== "function") {
      throw invalidOption("handle", "a function", options.handle);
    }
    const { concurrency, batchMax, leaseMs } = { ...workerDefaults, ...options };
    const loops = numberOption("concurrency", concurrency, { min: 1, max: 1_000 });
    this.#queue = options.queue;
    this.#handle = options.handle;
    this.#batchMax = numberOption("batchMax", batchMax, { min: 1, max: queueLimits.claimMax });
    this.#leaseMs = numberOption("leaseMs", leaseMs, { min: 100, max: queueLimits.leaseMsMax });
    this.#retry = resolveRetry(options.retry);
    this.#runtime = runtimeWith(options.runtime);
    this.#metrics = options.metrics ? workerMetrics(options.metrics) : noWorkerMetrics;
    this.#loops = Array.from({ length: loops }, () => this.#work());
  }

  close(options: { readonly graceMs?: number } = {}): Promise<void> {
    this.#closed ??= this.#shutDown(options.graceMs ?? workerDefaults.graceMs);
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #shutDown(graceMs: number): Promise<void> {
    this.#stopClaiming.abort(closing());
    const finished = Promise.all(this.#loops);
    const grace = this.#runtime.clock.setTimer(Math.max(0, graceMs), () =>
      this.#stopHandling.abort(closing()),
    );
    await finished;
    grace.cancel();
  }

  async #work(): Promise<void> {
    let failures = 0;
    while (!this.#stopClaiming.signal.aborted) {
      try {
        const jobs = await this.#claim();
        failures = 0;
        this.#ownerBack();
        if (jobs.length > 0) await this.#process(jobs);
      } catch (error) {
        if (this.#stopClaiming.signal.aborted) return;
        failures += 1;
        this.#ownerGone(error);
        await this.#pause(failures, this.#stopClaiming.signal);
      }
    }
  }

  #claim(): Promise<readonly Job[]> {
    const { waitMs } = workerDefaults;
    const request = { max: this.#batchMax, leaseMs: this.#leaseMs, waitMs };
    return this.#queue.claim(request, { signal: this.#stopClaiming.signal });
  }

  async #process(jobs: readonly Job[]): Promise<void> {
    const { clock } = this.#runtime;
    const startedMs = clock.now();
    const leaseEnd = new AbortController();
    const timer = clock.setTimer(this.#leaseMs * workerDefaults.leaseUsedRatio, () =>
      leaseEnd.abort(leaseOver(this.#leaseMs)),
    );
    const signal = AbortSignal.any([leaseEnd.signal, this.#stopHandling.signal]);
    try {
      const settlements = await this.#settlementsOf(jobs, signal);
      this.#metrics.handled(settlements);
      await this.#settle(settlements, startedMs + this.#leaseMs);
    } finally {
      timer.cancel();
    }
  }

  async #settlementsOf(jobs: readonly Job[], signal: AbortSignal): Promise<Settlement[]> {
    try {
      await this.#handleUntil(jobs, signal);
      return jobs.map(({ sequence, token }) => ({ sequence, token, result: "done" }));
    } catch (error) {
      if (this.#stopHandling.signal.aborted) return jobs.map(release);
      const { log, random } = this.#runtime;
      if (jobs.length > 1 && !blamesWorld(error)) return await this.#oneByOne(jobs, signal);
      const settlements = jobs.map((job) => failedJob(job, error, this.#retry, random));
      const reason = errorText(error);
      log.warn("jobs failed", { jobs: jobs.length, result: settlements[0]?.result, reason });
      return settlements;
    }
  }

  async #oneByOne(jobs: readonly Job[], signal: AbortSignal): Promise<Settlement[]> {
    const settlements: Settlement[] = [];
    for (const job of jobs) settlements.push(...(await this.#settlementsOf([job], signal)));
    return settlements;
  }

  /** The handler, but no longer than the signal allows: one that hangs must not hold the worker. */
  #handleUntil(jobs: readonly Job[], signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(signal.reason);
      if (signal.aborted) {
        onAbort();
        return;
      }
      signal.addEventListener("abort", onAbort, { once: true });
      const work = async (): Promise<void> => await this.#handle(jobs, { signal });
      void work()
        .then(resolve, reject)
        .finally(() => signal.removeEventListener("abort", onAbort));
    });
  }

  /** Tells the owner, again and again while the leases last; then the jobs are given to others. */
  async #settle(settlements: readonly Settlement[], untilMs: number): Promise<void> {
    const { clock, log } = this.#runtime;
    const { settleDeadlineMs: deadlineMs } = workerDefaults;
    for (let attempt = 1; ; attempt++) {
      try {
        const { refused } = await this.#queue.settle(settlements, { deadlineMs });
        this.#ownerBack();
        if (refused.length === 0) return;
        this.#metrics.refused(refused.length);
        log.warn("leases had ended before their jobs were settled", { jobs: refused.length });
        return;
      } catch (error) {
        this.#ownerGone(error);
        const stopping = this.#stopHandling.signal.aborted;
        if (clock.now() >= untilMs || stopping || !blamesWorld(error)) {
          log.warn("jobs could not be settled; they will be handed out again", {
            jobs: settlements.length,
            reason: errorText(error),
          });
          return;
        }
        await this.#pause(attempt, this.#stopHandling.signal);
      }
    }
  }

  async #pause(attempt: number, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#runtime;
    const pauseMs = fullJitterMs(random, attempt, workerDefaults.backoff) + 1;
    await clock.sleep(pauseMs, { signal }).catch(() => undefined);
  }

  #ownerGone(error: unknown): void {
    if (this.#ownerAway) return;
    this.#ownerAway = true;
    this.#runtime.log.warn("the queue does not answer; trying on", { reason: errorText(error) });
  }

  #ownerBack(): void {
    if (!this.#ownerAway) return;
    this.#ownerAway = false;
    this.#runtime.log.info("the queue answers again");
  }
}

function resolveRetry(given: Partial<RetryOptions> | undefined): RetryOptions {
  if (given === undefined) return retryDefaults;
  refuseUnknownKeys("retry", given, Object.keys(retryDefaults));
  const { attemptsMax, baseMs, capMs } = { ...retryDefaults, ...given };
  const { delayMsMax } = queueLimits;
  return {
    attemptsMax: numberOption("retry.attemptsMax", attemptsMax, { min: 1, max: 1_000_000 }),
    baseMs: numberOption("retry.baseMs", baseMs, { min: 1, max: delayMsMax }),
    capMs: numberOption("retry.capMs", capMs, { min: 1, max: delayMsMax }),
  };
}

function release({ sequence, token }: Job): Settlement {
  return { sequence, token, result: "release" };
}

function closing(): TenfoldError {
  return new TenfoldError("TENFOLD_ABORTED", "The worker is closing.", { retryable: true });
}

/** Not a retryable `TenfoldError`: work that never fits into its lease must not go on for ever. */
function leaseOver(leaseMs: number): Error {
  return new Error(`The work took longer than its lease of ${leaseMs} ms allows.`);
}
