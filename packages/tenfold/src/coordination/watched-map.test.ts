import { expect, test } from "vitest";

import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { silentLog } from "../runtime/log.ts";
import { watchedMap } from "./watched-map.ts";

test("the map is there after ready, follows changes and outlives its close", async () => {
  const coordinator = createMemoryCoordinator();
  await coordinator.transact({ change: [{ put: "/m/a", value: "1" }] });
  const map = watchedMap(coordinator, "/m/", Number);
  await map.ready;
  expect([...map.current]).toEqual([["a", 1]]);

  const seen: (readonly [string, number][])[] = [];
  for await (const whole of map.watch()) {
    seen.push([...whole]);
    if (seen.length === 1) {
      await coordinator.transact({ change: [{ put: "/m/b", value: "2" }, { delete: "/m/a" }] });
    } else break;
  }
  expect(seen).toEqual([[["a", 1]], [["b", 2]]]);
  map.close();
  await coordinator.transact({ change: [{ delete: "/m/b" }] });
  expect([...map.current]).toEqual([["b", 2]]);
});

test("an unreadable entry is left out and logged; the rest goes on", async () => {
  const coordinator = createMemoryCoordinator();
  const warned: unknown[] = [];
  const log = { ...silentLog, warn: (_: string, fields?: object) => void warned.push(fields) };
  await coordinator.transact({
    change: [
      { put: "/m/a", value: "{" },
      { put: "/m/b", value: "2" },
    ],
  });
  const map = watchedMap(coordinator, "/m/", (value) => JSON.parse(value) as number, {
    runtime: { log },
  });
  await map.ready;
  expect([...map.current]).toEqual([["b", 2]]);
  expect(warned).toMatchObject([{ key: "/m/a" }]);
  map.close();
});

test("readers end when the map is closed, also one that waits", async () => {
  const coordinator = createMemoryCoordinator();
  const map = watchedMap(coordinator, "/m/", String);
  const reading = (async () => {
    let count = 0;
    for await (const _ of map.watch()) count++;
    return count;
  })();
  await map.ready;
  map.close();
  expect(await reading).toBeLessThanOrEqual(1);
});
