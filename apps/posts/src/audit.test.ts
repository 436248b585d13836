import { createMemoryCoordinator, createMemoryQueue } from "tenfold/engines/memory";
import type { ServiceContext } from "tenfold/fleet";
import { type Clock, silentLog, systemClock, systemRandom } from "tenfold/runtime";
import { createRegistry, exposition } from "tenfold/telemetry";
import { afterEach, expect, test, vi } from "vitest";

import { createAudit } from "./audit.ts";
import { sortKey } from "./post.ts";
import type { PostKey, PostStore } from "./post-store.ts";

/** Time goes by fifty times as fast. */
const fast: Clock = {
  now: () => systemClock.now() * 50,
  wallNow: systemClock.wallNow,
  setTimer: (delayMs, run, options) => systemClock.setTimer(delayMs / 50, run, options),
  sleep: (delayMs, options) => systemClock.sleep(delayMs / 50, options),
};

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function startAudit() {
  const queue = createMemoryQueue();
  const coordinator = createMemoryCoordinator();
  const session = await coordinator.openSession({ ttlMs: 60_000 });
  const metrics = createRegistry();
  const rows = new Set<bigint>();
  const asked: number[] = [];
  const store = {
    async present(keys: readonly PostKey[]) {
      asked.push(keys.length);
      return new Set(keys.map(({ id }) => id).filter((id) => rows.has(id)));
    },
  };
  const context = {
    coordinator,
    metrics,
    instance: { fleet: "test", name: "worker-1" },
    runtime: { clock: fast, log: silentLog, random: systemRandom },
    session: () => session,
  } as unknown as ServiceContext;
  const audit = createAudit({ context, queue, store: store as unknown as PostStore });
  closing.push(async () => {
    await audit.close();
    await coordinator.close();
  });
  const done = async (from: number, to: number): Promise<void> => {
    for (let i = from; i <= to; i++) {
      const sort = sortKey(BigInt(i));
      await queue.enqueue({ key: String(i), sort, body: "{}", idempotencyKey: sort });
    }
    for (;;) {
      const jobs = await queue.claim({ max: 256, leaseMs: 5_000, waitMs: 0 });
      if (jobs.length === 0) return;
      await queue.settle(
        jobs.map(({ sequence, token }) => ({ sequence, token, result: "done" as const })),
      );
    }
  };
  const figure = (name: string): number =>
    Number(new RegExp(`^${name} (\\d+)`, "m").exec(exposition(metrics.read()))?.[1]);
  return { rows, asked, done, figure };
}

const soon = { timeout: 45_000 };

test("a post that its shard never had is counted, and no longer once it has it", async () => {
  const { rows, done, figure } = await startAudit();
  rows.add(1n);
  await done(1, 2);
  await vi.waitFor(() => expect(figure("tenfold_audit_missing")).toBe(1), soon);
  rows.add(2n);
  await vi.waitFor(() => expect(figure("tenfold_audit_missing")).toBe(0), soon);
  expect(figure("tenfold_audit_checked_total")).toBe(2);
});

test("a post that is lost after it was read back is counted as well", async () => {
  const { rows, done, figure } = await startAudit();
  for (let i = 1n; i <= 450n; i++) rows.add(i);
  await done(1, 450);
  await vi.waitFor(() => expect(figure("tenfold_audit_checked_total")).toBe(450), soon);
  rows.delete(333n);
  await vi.waitFor(() => expect(figure("tenfold_audit_missing")).toBe(1), soon);
  expect(figure("tenfold_audit_checked_total"), "each is counted once").toBe(450);
});

test("however many are lost, one look-up asks for no more than the store takes", async () => {
  const { rows, asked, done, figure } = await startAudit();
  await done(1, 6_000);
  await vi.waitFor(() => expect(figure("tenfold_audit_missing")).toBeGreaterThan(3_000), soon);
  expect(Math.max(...asked)).toBeLessThanOrEqual(5_000);
  for (let i = 1n; i <= 6_000n; i++) rows.add(i);
  await vi.waitFor(() => expect(figure("tenfold_audit_checked_total")).toBe(6_000), soon);
  await vi.waitFor(() => expect(figure("tenfold_audit_missing")).toBe(0), soon);
});
