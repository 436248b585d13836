import { expect, test } from "vitest";

import { TenfoldError } from "../../runtime/errors.ts";
import { silentLog } from "../../runtime/log.ts";
import { virtualClock } from "../../simulation/virtual-clock.ts";
import { history, neverCompacted } from "./history.ts";
import type { JournalBatch } from "./journal.ts";
import { keyStore, type Revised } from "./key-store.ts";
import { leases as leaseTable } from "./leases.ts";
import { coordinatorNodeLimits as limits } from "./limits.ts";
import { viewAt } from "./past-view.ts";
import { createWriteQueue } from "./write-queue.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);

function queueOver(commit: (batch: JournalBatch) => void | Promise<void>) {
  const store = keyStore({ revision: 1n, entries: [] }, limits);
  const leases = leaseTable(virtualClock(), []);
  const told: Revised[] = [];
  const onDurable = (revised: readonly Revised[]): void => void told.push(...revised);
  const past = history({ compacted: neverCompacted, revised: [] }, limits);
  const journal = { commit: async (batch: JournalBatch) => commit(batch) };
  const queue = createWriteQueue({
    ...{ store, history: past, leases, journal, limits, log: silentLog, onDurable },
  });
  const put = (key: string, lease = 0n) =>
    queue.run((write) => write.apply({ put: bytes(key), value: bytes("1"), lease }));
  const durable = () => viewAt(store, past, queue.durableRevision);
  return { store, past, leases, told, queue, put, durable };
}

test("writes that wait together share one commit, each with its own revision", async () => {
  const commits: JournalBatch[] = [];
  const { put, told } = queueOver((batch) => void commits.push(batch));
  const written = await Promise.all(["a", "b", "c"].map((key) => put(key)));
  expect(written.map(({ revision }) => revision)).toEqual([2n, 3n, 4n]);
  expect(commits).toHaveLength(1);
  expect(told.map(({ revision }) => revision)).toEqual([2n, 3n, 4n]);
});

test("nothing is seen or told before the commit", async () => {
  const { put, store, told } = queueOver(() => expect(told).toEqual([]));
  const writing = put("a");
  expect(store.get("a")).toBeUndefined();
  await writing;
  expect(told).toHaveLength(1);
});

test("what is on its way to the disk is seen by later writes, and by no read", async () => {
  let onDisk = (): void => {};
  const { put, queue, durable } = queueOver(
    () =>
      new Promise((resolve) => {
        onDisk = resolve;
      }),
  );
  const first = put("a");
  const arrived = async (): Promise<void> => {
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  };
  await arrived();
  const looked: string[] = [];
  const rest = queue.atRest(() => looked.push("at rest"));
  expect([durable().get("a"), queue.durableRevision]).toEqual([undefined, 1n]);
  const second = queue.run((write) => write.apply({ delete: "a" }));
  await arrived();
  expect(looked).toEqual([]);
  onDisk();
  expect((await first).revision).toBe(2n);
  await rest;
  expect(durable().get("a")).toBeDefined();
  await arrived();
  onDisk();
  expect((await second).result).toMatchObject({ key: "a", now: undefined });
  expect(durable().get("a")).toBeUndefined();
});

test("one refused write does not harm its neighbours", async () => {
  const { put, queue, store } = queueOver(() => {});
  const refused = queue.run((write) => {
    write.apply({ put: bytes("x"), value: bytes("1"), lease: 0n });
    throw new Error("refused");
  });
  const all = await Promise.allSettled([put("a"), refused, put("b")]);
  expect(all.map((one) => one.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(store.get("x")).toBeUndefined();
  expect(store.revision).toBe(3n);
});

test("when the disk refuses, all is as before, and later writes succeed", async () => {
  let isFull = false;
  const { put, queue, store, leases, told } = queueOver(() => {
    if (isFull) throw new TenfoldError("TENFOLD_COORDINATOR_NODE_STORAGE_FAILED", "disk full");
  });
  await queue.run((write) => write.grant({ id: 7n, ttlSeconds: 5n }));
  await put("owned", 7n);
  isFull = true;
  const failed = await Promise.allSettled([
    put("a"),
    queue.run((write) => write.grant({ id: 8n, ttlSeconds: 5n })),
    queue.run((write) => write.endLease(7n)),
  ]);
  for (const one of failed) expect(one).toMatchObject({ reason: { status: 14 } });
  expect(store.revision).toBe(2n);
  expect(store.get("owned")).toBeDefined();
  expect(leases.ids()).toEqual([7n]);
  expect(leases.keysOf(7n)).toEqual(["owned"]);
  expect(told).toHaveLength(1);
  isFull = false;
  expect(await put("b")).toMatchObject({ revision: 3n });
});
