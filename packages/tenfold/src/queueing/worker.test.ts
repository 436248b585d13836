import { afterEach, describe, expect, test } from "vitest";

import { createMemoryQueue } from "../engines/memory/queue.ts";
import { TenfoldError } from "../runtime/errors.ts";
import { createRegistry } from "../telemetry/registry.ts";
import { failedJob, retryDefaults } from "./job-verdict.ts";
import type { Job, Queue, QueueStats } from "./queue.ts";
import { createWorker, type Worker, type WorkerOptions } from "./worker.ts";

const retry = { attemptsMax: 3, baseMs: 1, capMs: 5 };
const busy = new TenfoldError("TENFOLD_QUEUEING_UNAVAILABLE", "away", { retryable: true });
const wrong = new TenfoldError("TENFOLD_OPTION_INVALID", "bad row");

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function queueOf(count: number): Queue {
  const queue = createMemoryQueue();
  closers.push(() => queue.close());
  for (let i = 0; i < count; i++) {
    void queue.enqueue({ key: `k${i}`, sort: "1", body: `${i}`, idempotencyKey: "1" });
  }
  return queue;
}

function workerOn(queue: Queue, handle: WorkerOptions["handle"], more = {}): Worker {
  const worker = createWorker({ queue, handle, retry, ...more });
  closers.push(() => worker.close({ graceMs: 0 }));
  return worker;
}

async function untilStats(queue: Queue, holds: (stats: QueueStats) => boolean): Promise<void> {
  await expect.poll(async () => holds(await queue.stats())).toBe(true);
}

describe("a worker", () => {
  test("does every job, in batches, and counts them", async () => {
    const queue = queueOf(100);
    const metrics = createRegistry();
    const seen: string[] = [];
    workerOn(
      queue,
      async (jobs) => {
        expect(jobs.length).toBeLessThanOrEqual(7);
        seen.push(...jobs.map(({ body }) => body));
      },
      { batchMax: 7, metrics },
    );
    await untilStats(queue, ({ done }) => done === 100);
    expect(new Set(seen).size).toBe(100);
    const done = metrics.read().find(({ name }) => name === "tenfold_queueing_jobs_done_total");
    expect(done?.samples[0]?.value).toBe(100);
  });

  test("one bad job takes no neighbours along", async () => {
    const queue = queueOf(10);
    workerOn(queue, async (jobs) => {
      if (jobs.some(({ body }) => body === "4")) throw wrong;
    });
    await untilStats(queue, ({ done, dead }) => done === 9 && dead === 1);
    const [pending] = await queue.pending({ key: "k4", limit: 1 });
    expect(pending?.body).toBe("4");
  });

  test("what the world is at fault for is tried until it is over", async () => {
    const queue = queueOf(1);
    let tries = 0;
    workerOn(queue, async () => {
      tries += 1;
      if (tries <= 3 * retry.attemptsMax) throw busy;
    });
    await untilStats(queue, ({ done }) => done === 1);
    expect(tries).toBe(3 * retry.attemptsMax + 1);
  });

  test("what nobody is known to be at fault for is dead after the last attempt", async () => {
    const queue = queueOf(1);
    let tries = 0;
    workerOn(queue, async () => {
      tries += 1;
      throw new Error("?");
    });
    await untilStats(queue, ({ dead }) => dead === 1);
    expect(tries).toBe(retry.attemptsMax);
  });

  test("goes on when its owner comes back", async () => {
    const queue = queueOf(3);
    let failures = 20;
    const flaky = async <T>(call: () => Promise<T>): Promise<T> => {
      failures -= 1;
      if (failures >= 0 && failures % 3 > 0) throw busy;
      return await call();
    };
    const away: Queue = {
      ...queue,
      claim: (...given) => flaky(() => queue.claim(...given)),
      settle: (...given) => flaky(() => queue.settle(...given)),
    };
    workerOn(away, async () => {});
    await untilStats(queue, ({ done }) => done === 3);
  });

  test("a handler that outlasts its lease is told so, and its job comes again", async () => {
    const queue = queueOf(1);
    const reasons: unknown[] = [];
    workerOn(
      queue,
      (_jobs, { signal }) =>
        new Promise<void>((resolve) => {
          if (reasons.length > 0) resolve();
          signal.addEventListener("abort", () => reasons.push(signal.reason));
        }),
      { leaseMs: 100 },
    );
    await untilStats(queue, ({ done }) => done === 1);
    expect(String(reasons[0])).toContain("lease of 100 ms");
  });

  test("close lets what is under way finish", async () => {
    const queue = queueOf(1);
    let finish: (() => void) | undefined;
    const worker = workerOn(queue, () => new Promise((resolve) => (finish = resolve)));
    await expect.poll(() => finish).toBeDefined();
    const closed = worker.close({ graceMs: 5_000 });
    finish?.();
    await closed;
    expect((await queue.stats()).done).toBe(1);
  });

  test("close releases what does not finish in time, and the attempt does not count", async () => {
    const queue = queueOf(5);
    let aborted = false;
    let started = false;
    const worker = workerOn(queue, (_jobs, { signal }) => {
      started = true;
      signal.addEventListener("abort", () => (aborted = true));
      return new Promise(() => {});
    });
    await expect.poll(() => started).toBe(true);
    await worker.close({ graceMs: 1 });
    await worker.close();
    expect(aborted).toBe(true);
    const jobs = await queue.claim({ max: 10, leaseMs: 1_000, waitMs: 0 });
    expect(jobs.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1, 1]);
  });

  test("refuses options that it does not know or that make no sense", () => {
    const queue = queueOf(0);
    const handle = async (): Promise<void> => {};
    for (const more of [{ batch: 1 }, { batchMax: 0 }, { leaseMs: 1 }, { retry: { max: 1 } }]) {
      expect(() => createWorker({ queue, handle, ...more } as WorkerOptions)).toThrow(
        /TENFOLD|must|no/,
      );
    }
  });
});

describe("the verdict on a failed job", () => {
  const job = { sequence: 1n, token: 2n, attempt: 8 } as Job;
  const random = { next: () => 0.999, below: () => 0, fork: () => random };
  test.each([
    ["the world's fault", busy, "retry"],
    ["the job's fault", wrong, "dead"],
    ["out of time", new TenfoldError("TENFOLD_DEADLINE_EXCEEDED", "late"), "dead"],
    ["unknown", new Error("?"), "dead"],
    ["not even an error", undefined, "dead"],
  ])("on the last attempt: %s", (_name, error, result) => {
    expect(failedJob(job, error, retryDefaults, random).result).toBe(result);
  });
  test.each([
    ["the job's fault", wrong, "dead"],
    ["out of time", new TenfoldError("TENFOLD_DEADLINE_EXCEEDED", "late"), "retry"],
    ["unknown", new Error("?"), "retry"],
  ])("on the first attempt: %s", (_name, error, result) => {
    expect(failedJob({ ...job, attempt: 1 }, error, retryDefaults, random).result).toBe(result);
  });
  test("the delay grows to its cap, and is never below what the error asks for", () => {
    const delayOf = (attempt: number, error: unknown): unknown => {
      const settlement = failedJob({ ...job, attempt }, error, retryDefaults, random);
      return settlement.result === "retry" ? settlement.delayMs : undefined;
    };
    expect([1, 2, 3, 100].map((attempt) => delayOf(attempt, busy))).toEqual([
      999, 1998, 3996, 29970,
    ]);
    const later = new TenfoldError("TENFOLD_QUEUEING_FULL", "", {
      retryable: true,
      retryAfterMs: 90_000,
    });
    expect(delayOf(1, later)).toBe(90_000);
  });
});
