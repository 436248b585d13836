import type { Clock, Timer } from "../runtime/clock.ts";
import { TenfoldError } from "../runtime/errors.ts";
import { startCall } from "./call-signal.ts";
import type { Job, Queue, QueueCallOptions, Settlement } from "./queue.ts";
import type {
  QueueOperation,
  QueueOperations,
  QueueOutcome,
  QueueReadiness,
  QueueRequest,
  QueueTime,
} from "./queue-core.ts";
import { checkMessage, checkName, checkWhole, type QueueLimits } from "./queue-limits.ts";

export interface QueueBatch extends QueueTime {
  readonly requests: readonly QueueRequest[];
}

export interface QueueBatchResult extends QueueReadiness {
  /** One for each request, in order; durable as the engine is. */
  readonly outcomes: readonly QueueOutcome[];
}

/** Runs a batch as a whole. Rejects with a `TenfoldError` when it is not known to be applied. */
export interface QueueExecutor {
  run(batch: QueueBatch): Promise<QueueBatchResult>;
  close(): Promise<void>;
}

interface Call {
  readonly request: QueueRequest;
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/**
 * The queue around an executor: checks what comes in, gathers the calls that wait while a batch
 * runs into the next one (group commit), and lets claims wait until something is ready.
 */
export function queueOn(executor: QueueExecutor, clock: Clock, limits: QueueLimits): Queue {
  return new ShellQueue(executor, clock, limits);
}

class ShellQueue implements Queue {
  readonly #executor: QueueExecutor;
  readonly #clock: Clock;
  readonly #limits: QueueLimits;
  readonly #waitingCalls: Call[] = [];
  /** Claims that found nothing: each is woken when something may be ready. */
  readonly #parked = new Set<() => void>();
  #ready = false;
  #dueTimer: Timer | undefined;
  #callCount = 0;
  #running: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(executor: QueueExecutor, clock: Clock, limits: QueueLimits) {
    this.#executor = executor;
    this.#clock = clock;
    this.#limits = limits;
  }

  async enqueue(message: QueueOperations["enqueue"]["request"], options?: QueueCallOptions) {
    checkMessage(message, this.#limits);
    return await this.#call("enqueue", message, options);
  }

  async settle(settlements: readonly Settlement[], options?: QueueCallOptions) {
    checkWhole("the number of settlements", settlements.length, 0, this.#limits.settleMax);
    for (const settlement of settlements) {
      if (settlement.result !== "retry") continue;
      checkWhole("delayMs", settlement.delayMs, 0, this.#limits.delayMsMax);
    }
    if (settlements.length === 0) return { refused: [] };
    return await this.#call("settle", settlements, options);
  }

  async pending(request: QueueOperations["pending"]["request"], options?: QueueCallOptions) {
    checkName("key", request.key, this.#limits.nameBytesMax);
    if (request.before !== undefined) {
      checkName("before", request.before, this.#limits.nameBytesMax);
    }
    checkWhole("limit", request.limit, 1, this.#limits.pageMax);
    return await this.#call("pending", request, options);
  }

  async completed(request: QueueOperations["completed"]["request"], options?: QueueCallOptions) {
    checkWhole("limit", request.limit, 1, this.#limits.pageMax);
    return await this.#call("completed", request, options);
  }

  async stats(options?: QueueCallOptions) {
    return await this.#call("stats", null, options);
  }

  async claim(
    request: { readonly max: number; readonly leaseMs: number; readonly waitMs: number },
    options?: QueueCallOptions,
  ): Promise<readonly Job[]> {
    const { max, leaseMs, waitMs } = request;
    checkWhole("max", max, 1, this.#limits.claimMax);
    checkWhole("leaseMs", leaseMs, 1, this.#limits.leaseMsMax);
    checkWhole("waitMs", waitMs, 0, this.#limits.waitMsMax);
    const untilMs = this.#clock.now() + waitMs;
    const call = startCall(this.#clock, options);
    this.#begin();
    try {
      for (;;) {
        call.throwIfEnded();
        const jobs = await this.#submit("claim", { max, leaseMs });
        if (call.ended) await this.#giveBack(jobs);
        call.throwIfEnded();
        const leftMs = untilMs - this.#clock.now();
        if (jobs.length > 0 || leftMs <= 0) return jobs;
        // What became ready while the answer was on its way has woken nobody: look again.
        if (!this.#ready && this.#closed === undefined) await this.#park(leftMs, call.signal);
        if (this.#closed !== undefined) return [];
      }
    } finally {
      this.#callCount -= 1;
      call.end();
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#shutDown();
    return this.#closed;
  }

  async #shutDown(): Promise<void> {
    this.#wake();
    this.#dueTimer?.cancel();
    await this.#running;
    await this.#executor.close();
  }

  async #call<Name extends QueueOperation>(
    operation: Name,
    request: QueueOperations[Name]["request"],
    options: QueueCallOptions | undefined,
  ): Promise<QueueOperations[Name]["answer"]> {
    const call = startCall(this.#clock, options);
    this.#begin();
    try {
      call.throwIfEnded();
      return await call.race(this.#submit(operation, request));
    } finally {
      this.#callCount -= 1;
      call.end();
    }
  }

  #begin(): void {
    const { callsMax, retryAfterMs } = this.#limits;
    if (this.#callCount >= callsMax) {
      throw new TenfoldError("TENFOLD_QUEUEING_FULL", `${callsMax} calls are under way already.`, {
        retryable: true,
        retryAfterMs,
      });
    }
    this.#callCount += 1;
  }

  #submit<Name extends QueueOperation>(
    operation: Name,
    request: QueueOperations[Name]["request"],
  ): Promise<QueueOperations[Name]["answer"]> {
    if (this.#closed !== undefined) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      this.#waitingCalls.push({
        request: { operation, request } as QueueRequest,
        resolve: resolve as (answer: unknown) => void,
        reject,
      });
      this.#running ??= this.#run();
    });
  }

  async #run(): Promise<void> {
    // A turn of the loop first, so that calls made together share the first commit, too.
    await Promise.resolve();
    while (this.#waitingCalls.length > 0) {
      const calls = this.#waitingCalls.splice(0, this.#limits.commitCallsMax);
      await this.#runBatch(calls);
    }
    this.#running = undefined;
  }

  async #runBatch(calls: readonly Call[]): Promise<void> {
    const batch = {
      nowMs: this.#clock.now(),
      wallNowMs: this.#clock.wallNow(),
      requests: calls.map(({ request }) => request),
    };
    try {
      const { outcomes, ready, nextDueInMs } = await this.#executor.run(batch);
      calls.forEach((call, index) => {
        deliver(call, outcomes[index]);
      });
      this.#ready = ready;
      if (ready) this.#wake();
      this.#wakeIn(nextDueInMs);
    } catch (error) {
      for (const call of calls) call.reject(error);
    }
  }

  #park(leftMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const resume = (): void => {
        this.#parked.delete(resume);
        timer.cancel();
        signal?.removeEventListener("abort", resume);
        resolve();
      };
      const timer = this.#clock.setTimer(leftMs, resume);
      signal?.addEventListener("abort", resume, { once: true });
      this.#parked.add(resume);
    });
  }

  #wake(): void {
    for (const resume of [...this.#parked]) resume();
  }

  #wakeIn(delayMs: number | undefined): void {
    this.#dueTimer?.cancel();
    this.#dueTimer = undefined;
    if (delayMs === undefined || this.#closed !== undefined) return;
    // Timers may fire a fraction early: then the batch that follows asks for another one.
    this.#dueTimer = this.#clock.setTimer(Math.ceil(delayMs), () => this.#wake(), {
      keepAlive: false,
    });
  }

  /** The caller went away while its claim was committed: nobody will work on these. */
  async #giveBack(jobs: readonly Job[]): Promise<void> {
    const settlements = jobs.map(({ sequence, token }) => ({
      sequence,
      token,
      result: "release" as const,
    }));
    // When it fails, the leases end by themselves.
    if (jobs.length > 0) await this.#submit("settle", settlements).catch(() => undefined);
  }
}

function deliver(call: Call, outcome: QueueOutcome | undefined): void {
  if (outcome === undefined) {
    call.reject(new TenfoldError("TENFOLD_INTERNAL", "The queue's engine gave no outcome."));
  } else if ("error" in outcome) {
    const { code, message, retryable, retryAfterMs } = outcome.error;
    const after = retryAfterMs === undefined ? {} : { retryAfterMs };
    call.reject(new TenfoldError(code, message, { retryable, ...after }));
  } else {
    call.resolve(outcome.answer);
  }
}

function closedError(): TenfoldError {
  return new TenfoldError("TENFOLD_QUEUEING_UNAVAILABLE", "The queue was closed.", {
    retryable: true,
  });
}
