import { expect, test } from "vitest";

import { storeGuard } from "./store-guard.ts";

const seen = (revision: bigint, generation = 0, storeId = 1n) => ({
  storeId,
  generation,
  revision,
});

test("a store that forgot what was heard is younger, and stays so", () => {
  const guard = storeGuard();
  expect(guard.see(seen(10n), guard.revision)).toBe("first");
  guard.hear(20n);
  expect(guard.see(seen(19n), guard.revision)).toBe("younger");
  expect(guard.see(seen(20n), guard.revision)).toBe("same");
  expect(guard.see(seen(5n), guard.revision)).toBe("younger");
});

test("an answer that was overtaken is not younger", () => {
  const guard = storeGuard();
  guard.see(seen(10n), guard.revision);
  const floor = guard.revision;
  guard.hear(30n);
  expect(guard.see(seen(12n), floor)).toBe("same");
  expect(guard.revision).toBe(30n);
});

test("another store is foreign, whatever its revision", () => {
  const guard = storeGuard();
  guard.see(seen(10n), guard.revision);
  expect(guard.see(seen(99n, 0, 2n), guard.revision)).toBe("foreign");
  expect(guard.generation).toBe(0);
});

test("a higher generation is accepted and begins anew; a lower one never", () => {
  const guard = storeGuard();
  guard.see(seen(100n, 7), guard.revision);
  expect(guard.see(seen(3n, 8, 2n), guard.revision)).toBe("raised");
  expect([guard.generation, guard.revision]).toEqual([8, 3n]);
  expect(guard.see(seen(4n, 8, 2n), guard.revision)).toBe("same");
  expect(guard.see(seen(500n, 7), guard.revision)).toBe("younger");
});
