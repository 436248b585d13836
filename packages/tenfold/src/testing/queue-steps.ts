import assert from "node:assert/strict";

import type { Job, NewMessage, Queue, Settlement } from "../queueing/queue.ts";
import { isTenfoldError } from "../runtime/errors.ts";

/** One case: gets an empty queue. */
export type QueueCase = (queue: Queue) => Promise<void>;

/** Long enough for a slow machine; a case that waits this long has failed. */
export const patienceMs: number = 5_000;
/** Short enough to wait for its end. */
export const shortLeaseMs: number = 30;
export const longLeaseMs: number = 60_000;

export function message(i: number, part: Partial<NewMessage> = {}): NewMessage {
  return { key: "k", body: `{"i":${i}}`, sort: sortOf(i), idempotencyKey: `id-${i}`, ...part };
}

export function sortOf(i: number): string {
  return String(i).padStart(4, "0");
}

export function sortsOf(items: readonly { readonly sort: string }[]): string[] {
  return items.map(({ sort }) => sort);
}

export function claim(
  queue: Queue,
  request: { max?: number; leaseMs?: number; waitMs?: number } = {},
): Promise<readonly Job[]> {
  return queue.claim({ max: 10, leaseMs: longLeaseMs, waitMs: 0, ...request });
}

/** Claims everything, gives back what is of other keys. */
export async function claimOf(queue: Queue, key: string): Promise<Job[]> {
  const jobs = await claim(queue);
  await settle(
    queue,
    jobs.filter((job) => job.key !== key),
    "release",
  );
  return jobs.filter((job) => job.key === key);
}

export async function settle(
  queue: Queue,
  jobs: readonly (Job | undefined)[],
  result: Settlement["result"],
  delayMs = 0,
): Promise<readonly bigint[]> {
  const settlements = jobs.map((job): Settlement => {
    assert.ok(job !== undefined, "there should have been a job");
    const { sequence, token } = job;
    if (result === "retry") return { sequence, token, result, delayMs, reason: "again" };
    return result === "dead"
      ? { sequence, token, result, reason: "no use" }
      : { sequence, token, result };
  });
  return (await queue.settle(settlements)).refused;
}

export function tokenOf([job]: readonly Job[]): bigint {
  assert.ok(job !== undefined, "there should have been a job");
  return job.token;
}

export async function rejectsWith(
  code: string,
  promise: Promise<unknown>,
): Promise<{ readonly retryable: boolean; readonly retryAfterMs: number | undefined }> {
  const error = await promise.then(
    () => assert.fail(`expected ${code}, but the call succeeded`),
    (thrown: unknown) => thrown,
  );
  if (!isTenfoldError(error)) throw error;
  assert.equal(error.code, code);
  return error;
}

/** Asks again and again until it holds; fails when it does not in time. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, "it did not come true in time");
  }
}
