import { expect, test } from "vitest";

import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import type { Coordinator } from "./coordinator.ts";
import { claimNumber } from "./number-claim.ts";

const prefix = "/n/";

test("racing claimants get different numbers, lowest first, until all are taken", async () => {
  const coordinator = createMemoryCoordinator();
  const claims = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const session = await coordinator.openSession({ ttlMs: 5_000 });
      return claimNumber(coordinator, { prefix, count: 8, session });
    }),
  );
  expect(claims.map((claim) => claim.number).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  const session = await coordinator.openSession({ ttlMs: 5_000 });
  await expect(claimNumber(coordinator, { prefix, count: 8, session })).rejects.toMatchObject({
    code: "TENFOLD_COORDINATION_NUMBERS_TAKEN",
    retryable: true,
  });

  const third = claims.find((claim) => claim.number === 3);
  await third?.release();
  const again = await claimNumber(coordinator, { prefix, count: 8, session });
  expect(again.number).toBe(3);
  expect(again.token).toBeGreaterThan(third?.token ?? 0n);
  // A late release must not free what is another's by now.
  await third?.release();
  expect(await coordinator.get(`${prefix}3`)).toBeDefined();
  await session.close();
  expect(await coordinator.get(`${prefix}3`)).toBeUndefined();
});

test("a create whose answer was lost is recognised as ours", async () => {
  const inner = createMemoryCoordinator();
  const session = await inner.openSession({ ttlMs: 5_000 });
  const coordinator: Coordinator = {
    ...inner,
    async transact(transaction) {
      await inner.transact(transaction);
      return { outcome: "indeterminate", cause: "the answer was lost" };
    },
  };
  const claim = await claimNumber(coordinator, { prefix, count: 2, session });
  expect(claim.number).toBe(0);
  expect((await inner.list(prefix)).entries).toHaveLength(1);
});
