import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { removalGuard, removalRulesDefaults } from "./removal-guard.ts";

const names = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => `n${from + index}`);
const { confirmAfterMs, windowMs, doubtMs } = removalRulesDefaults;
const nothing = { put: [], removed: [] };

describe("where nothing is in doubt", () => {
  test("removals one by one are believed at once", () => {
    const guard = removalGuard();
    let size = 100;
    for (let now = 0; size > 0; now += windowMs) {
      const removed = [`n${--size}`];
      expect(guard.heard({ put: [], removed }, size + 1, now)).toEqual(removed);
    }
  });

  test("a rolling restart of three is never held up", () => {
    const guard = removalGuard();
    for (let now = 0; now < 60_000; now += 300) {
      const removed = [`n${now % 3}`];
      expect(guard.heard({ put: [], removed }, 3, now)).toEqual(removed);
      guard.heard({ put: removed, removed: [] }, 3, now + 100);
    }
  });

  test("few or a small share may vanish together, more may not", () => {
    expect(removalGuard().heard({ put: [], removed: names(2) }, 3, 0)).toHaveLength(2);
    expect(removalGuard().heard({ put: [], removed: names(3) }, 3, 0)).toEqual([]);
    expect(removalGuard().heard({ put: [], removed: names(15) }, 100, 0)).toHaveLength(15);
    expect(removalGuard().heard({ put: [], removed: names(16) }, 100, 0)).toEqual([]);
  });

  test("one by one in quick succession adds up", () => {
    const guard = removalGuard();
    const believed = names(8).flatMap((name, index) => [
      ...guard.heard({ put: [], removed: [name] }, Math.max(6, 8 - index), index),
    ]);
    expect(believed).toEqual(["n0", "n1"]);
    expect(guard.heldBack.size).toBe(6);
  });
});

describe("after a gap", () => {
  test("not even a single one of three is believed; later it is", () => {
    const guard = removalGuard();
    guard.gap(0);
    expect(guard.heard({ put: [], removed: ["n0"] }, 3, 1)).toEqual([]);
    const later = removalGuard();
    later.gap(0);
    expect(later.heard({ put: [], removed: ["n0"] }, 3, doubtMs)).toEqual(["n0"]);
  });

  test("while the own session is gone all is in doubt, however long", () => {
    const guard = removalGuard();
    guard.outage();
    expect(guard.heard({ put: [], removed: ["n0"] }, 3, 10 ** 9)).toEqual([]);
    guard.gap(10 ** 9);
    expect(guard.heard({ put: [], removed: ["n1"] }, 3, 10 ** 9 + doubtMs - 1)).toEqual([]);
  });
});

describe("what is held back", () => {
  function holding(count: number) {
    const guard = removalGuard();
    guard.heard({ put: [], removed: names(count) }, count, 0);
    return guard;
  }

  test("is dropped when two reads some time apart do not list it", () => {
    const guard = holding(5);
    expect(guard.nextReadAt).toBeLessThanOrEqual(0);
    expect(guard.read(() => false, 10)).toEqual([]);
    expect(guard.nextReadAt).toBe(10 + confirmAfterMs);
    expect(guard.read(() => false, 9 + confirmAfterMs)).toEqual([]);
    expect(guard.read(() => false, 10 + confirmAfterMs)).toEqual(names(5));
    expect(guard.nextReadAt).toBeUndefined();
  });

  test("is free again when it comes back, by the watch or by a read", () => {
    const guard = holding(5);
    guard.heard({ put: ["n0", "n1"], removed: [] }, 5, 5);
    guard.read((name) => name === "n2", 10);
    expect([...guard.heldBack]).toEqual(["n3", "n4"]);
    expect(guard.read(() => false, 20_000)).toEqual(["n3", "n4"]);
    // What was confirmed does not count against those who leave later.
    expect(guard.heard({ put: [], removed: ["n0"] }, 3, 20_001)).toEqual(["n0"]);
  });

  test("the readers' map and the coordinator's become the same, whatever happens", () => {
    const step = fc.record({
      afterMs: fc.integer({ min: 0, max: 4_000 }),
      put: fc.subarray(names(12)),
      removed: fc.subarray(names(12)),
      gap: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const guard = removalGuard();
        const server = new Set<string>();
        const seen = new Set<string>();
        let now = 0;
        const read = (): void => {
          for (const name of guard.read((one) => server.has(one), now)) seen.delete(name);
        };
        for (const { afterMs, put, removed, gap } of steps) {
          now += afterMs;
          if ((guard.nextReadAt ?? Number.POSITIVE_INFINITY) <= now) read();
          if (gap) guard.gap(now);
          const gone = removed.filter((name) => server.has(name) && !put.includes(name));
          for (const name of put) server.add(name).has(name) && seen.add(name);
          for (const name of gone) server.delete(name);
          for (const name of guard.heard({ put, removed: gone }, seen.size, now)) seen.delete(name);
          // Nothing that is there is ever hidden, and what is shown beyond that is named.
          for (const name of server) expect(seen.has(name)).toBe(true);
          for (const name of guard.heldBack) expect(server.has(name)).toBe(false);
          expect(seen.size).toBe(server.size + guard.heldBack.size);
        }
        for (let round = 0; round < 10 && guard.nextReadAt !== undefined; round++) {
          now = Math.max(now, guard.nextReadAt);
          read();
        }
        expect([...seen].sort()).toEqual([...server].sort());
        expect(guard.heard(nothing, seen.size, now)).toEqual([]);
      }),
    );
  });
});

test.each([{ atOnceShare: 1.1 }, { atOnceMax: -1 }, { confirmAfterMs: 600_001 }])(
  "rules out of range are refused: %#",
  (rules) => {
    expect(() => removalGuard(rules)).toThrow(
      expect.objectContaining({ code: "TENFOLD_OPTION_INVALID" }),
    );
  },
);
