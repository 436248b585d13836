import { expect, test } from "vitest";
import { type CachedOptions, cached } from "./cached.ts";

function setup(options: Partial<CachedOptions<string | null>> = {}) {
  const clock = { time: 0, now: () => clock.time };
  const loads: string[] = [];
  const load = (key: string): Promise<string | null> => {
    loads.push(key);
    return Promise.resolve(key.startsWith("no") ? null : `value of ${key}`);
  };
  const cache = cached<string | null>({
    clock,
    ttlMs: 1_000,
    negativeTtlMs: 10,
    bytesOf: (value) => value?.length ?? 1,
    isNegative: (value) => value === null,
    load,
    ...options,
  });
  return { cache, clock, loads };
}

test("says whether a value was loaded or kept, and how old it is", async () => {
  const { cache, clock, loads } = setup();
  expect(await cache.get("a")).toEqual({ value: "value of a", source: "loaded", ageMs: 0 });
  clock.time = 999;
  expect(await cache.get("a")).toEqual({ value: "value of a", source: "cache", ageMs: 999 });
  clock.time = 1_000;
  expect(await cache.get("a")).toMatchObject({ source: "loaded" });
  expect(loads).toEqual(["a", "a"]);
});

test("a negative result has its own, shorter time", async () => {
  const { cache, clock, loads } = setup();
  await cache.get("none");
  clock.time = 9;
  expect(await cache.get("none")).toEqual({ value: null, source: "cache", ageMs: 9 });
  clock.time = 10;
  expect(await cache.get("none")).toMatchObject({ source: "loaded" });
  expect(loads).toHaveLength(2);
});

test("a flood of negative results evicts no value", async () => {
  const { cache } = setup({ entriesMax: 20 });
  await cache.get("a");
  for (let i = 0; i < 100; i++) await cache.get(`none ${i}`);
  expect(await cache.get("a")).toMatchObject({ source: "cache" });
  expect(cache.stats().negatives.entries).toBe(2);
});

test("callers at the same time share one load; a failure is not kept", async () => {
  let calls = 0;
  const load = (): Promise<string> => {
    calls += 1;
    return calls === 1 ? Promise.reject(new Error("down")) : Promise.resolve("up");
  };
  const { cache } = setup({ load });
  const both = await Promise.allSettled([cache.get("a"), cache.get("a")]);
  expect(both.map((one) => one.status)).toEqual(["rejected", "rejected"]);
  expect(calls).toBe(1);
  expect(await cache.get("a")).toMatchObject({ value: "up", source: "loaded" });
});
