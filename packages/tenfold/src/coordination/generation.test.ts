import { expect, test } from "vitest";

import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { memoryStore } from "../engines/memory/store.ts";
import { generationKey, nextGeneration, parseGeneration, raiseGeneration } from "./generation.ts";

test("the next generation passes the old one and the time", () => {
  expect(nextGeneration(0, 5_999)).toBe(5);
  expect(nextGeneration(7, 5_999)).toBe(8);
  expect(parseGeneration(undefined)).toBe(0);
  expect(parseGeneration("17")).toBe(17);
});

test.each(["", "-1", "1.5", "4294967296", "seven", "99999999999"])("%j is none", (value) => {
  expect(() => parseGeneration(value)).toThrow(
    expect.objectContaining({ code: "TENFOLD_COORDINATION_ANSWER_INVALID" }),
  );
});

test("a store that was put back is refused until its generation is raised", async () => {
  const store = memoryStore();
  const client = createMemoryCoordinator({ store });
  const put = (value: string) => client.transact({ change: [{ put: "/a", value }] });
  await put("1");
  const backup = store.backUp();
  const session = await client.openSession({ ttlMs: 5_000 });
  for (let i = 0; i < 5; i++) await put("2");
  const before = await put("2");
  store.restore(backup);

  const replaced = expect.objectContaining({ code: "TENFOLD_COORDINATION_STORE_REPLACED" });
  await expect(put("3")).rejects.toEqual(replaced);
  await expect(client.get("/a")).rejects.toEqual(replaced);
  await expect(client.list("/")).rejects.toEqual(replaced);
  expect(session.state).toBe("lost");
  expect(store.get("/a")?.value).toBe("1");

  await raiseGeneration(createMemoryCoordinator({ store }), 1_000_000);
  const after = await put("4");
  expect(store.get(generationKey)?.value).toBe("1000");
  if (before.outcome !== "applied" || after.outcome !== "applied") throw new Error("not applied");
  expect(after.revision <= before.revision).toBe(true);
  expect(after.token > before.token).toBe(true);
});

test("a watch stands still before a younger store and begins anew in the next generation", async () => {
  const store = memoryStore();
  const client = createMemoryCoordinator({ store });
  await client.transact({ change: [{ put: "/m/a", value: "1" }] });
  const backup = store.backUp();
  await client.transact({ change: [{ put: "/m/b", value: "1" }] });
  const watch = client.watch("/m/")[Symbol.asyncIterator]();
  expect((await watch.next()).value.entries).toHaveLength(2);
  const next = watch.next();
  store.restore(backup);
  const other = createMemoryCoordinator({ store });
  await other.transact({ change: [{ put: "/m/c", value: "1" }] });
  await raiseGeneration(other, 1_000_000);
  const { value: batch } = await next;
  expect(batch.kind).toBe("snapshot");
  expect(batch.entries.map((entry: { key: string }) => entry.key)).toEqual(["/m/a", "/m/c"]);
  expect(batch.changes).toContainEqual({ kind: "delete", key: "/m/b" });
  await client.close();
});
