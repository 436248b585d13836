import fc from "fast-check";
import { expect, test } from "vitest";
import { nearCache } from "./near-cache.ts";

function clockAt(start = 0) {
  const clock = { time: start, now: () => clock.time };
  return clock;
}
const one = () => 1;

test("serves a value with its age until its time to live ends", () => {
  const clock = clockAt(1_000);
  const cache = nearCache<string>({ clock, ttlMs: 50, bytesOf: one });
  cache.set("a", "x");
  clock.time += 49;
  expect(cache.get("a")).toEqual({ value: "x", ageMs: 49 });
  clock.time += 1;
  expect(cache.get("a")).toBeUndefined();
  expect(cache.stats()).toEqual({ entries: 0, bytes: 0, hits: 1, misses: 1, evictions: 0 });
});

test("being read keeps an entry, not being read loses it", () => {
  const cache = nearCache<number>({ clock: clockAt(), ttlMs: 1, entriesMax: 2, bytesOf: one });
  cache.set("a", 1);
  cache.set("b", 2);
  cache.get("a");
  cache.set("c", 3);
  expect(cache.get("b")).toBeUndefined();
  expect(cache.get("a")?.value).toBe(1);
  expect(cache.get("c")?.value).toBe(3);
});

test("a value over the limit of bytes is not kept and removes the older one of its key", () => {
  const bytesOf = (value: string) => value.length;
  const cache = nearCache<string>({ clock: clockAt(), ttlMs: 1, bytesMax: 4, bytesOf });
  expect(cache.set("a", "1234")).toBe(true);
  expect(cache.set("a", "12345")).toBe(false);
  expect(cache.get("a")).toBeUndefined();
  expect(cache.stats().bytes).toBe(0);
});

test("keeps its limits and agrees with a model whatever is done to it", () => {
  const key = fc.constantFrom("a", "b", "c", "d", "e");
  const action = fc.oneof(
    fc.record({ do: fc.constant("set" as const), key, size: fc.integer({ min: 0, max: 7 }) }),
    fc.record({ do: fc.constant("get" as const), key }),
    fc.record({ do: fc.constant("delete" as const), key }),
    fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 6 }) }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const clock = clockAt();
      const limits = { entriesMax: 3, bytesMax: 10, ttlMs: 10 };
      const cache = nearCache<number>({ clock, ...limits, bytesOf: (size) => size });
      const model = new Map<string, { size: number; at: number }>();
      for (const step of actions) {
        if (step.do === "wait") clock.time += step.ms;
        else if (step.do === "delete") {
          cache.delete(step.key);
          model.delete(step.key);
        } else if (step.do === "set") {
          cache.set(step.key, step.size);
          model.set(step.key, { size: step.size, at: clock.time });
        } else {
          const hit = cache.get(step.key);
          if (hit === undefined) continue;
          const expected = model.get(step.key);
          expect(hit).toEqual({ value: expected?.size, ageMs: clock.time - (expected?.at ?? 0) });
          expect(hit.ageMs).toBeLessThan(limits.ttlMs);
        }
        const { entries, bytes } = cache.stats();
        expect(entries).toBeLessThanOrEqual(limits.entriesMax);
        expect(bytes).toBeLessThanOrEqual(limits.bytesMax);
      }
      cache.clear();
      expect(cache.stats()).toMatchObject({ entries: 0, bytes: 0 });
    }),
  );
});
