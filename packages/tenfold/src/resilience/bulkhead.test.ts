import fc from "fast-check";
import { expect, it } from "vitest";

import { bulkhead } from "./bulkhead.ts";

it("lets in up to the limit, then lines up, then refuses", () => {
  const calls = bulkhead<string>({ callsMax: 2, waitersMax: 1, waitMs: 100 });
  expect([calls.enter(), calls.enter(), calls.enter()]).toEqual([true, true, false]);
  expect(calls.wait(0, "a", 30)?.waitMs).toBe(30);
  expect(calls.wait(0, "b")).toBeUndefined();
  expect(calls.leave(20)?.value).toBe("a");
  expect([calls.inUse, calls.waiting]).toEqual([2, 0]);
  expect(calls.leave(60)).toBeUndefined();
  expect(calls.inUse).toBe(1);
});

it("passes no place to one whose time is up, or who has gone", () => {
  const calls = bulkhead<string>({ callsMax: 1, waitMs: 100 });
  calls.enter();
  const late = calls.wait(0, "late");
  const gone = calls.wait(50, "gone");
  const short = calls.wait(50, "short", 10);
  const next = calls.wait(50, "next");
  expect(gone && calls.giveUp(gone)).toBe(true);
  expect(calls.leave(100)?.value).toBe("next");
  expect([late?.state, short?.state, next?.state]).toEqual(["left", "left", "entered"]);
  expect(next && calls.giveUp(next)).toBe(false);
});

it("survives a leave too many", () => {
  const calls = bulkhead({ callsMax: 1 });
  calls.leave(0);
  expect([calls.enter(), calls.enter()]).toEqual([true, false]);
});

it("never has more in than the limit, in line than its limit, or a free place with a line", () => {
  const step = fc.tuple(fc.constantFrom("come", "leave", "giveUp"), fc.nat(60), fc.nat(20));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const calls = bulkhead<number>({ callsMax: 3, waitersMax: 4, waitMs: 100 });
      const line: NonNullable<ReturnType<typeof calls.wait>>[] = [];
      let now = 0;
      let held = 0;
      for (const [kind, wait, pick] of steps) {
        now += wait;
        if (kind === "come") {
          if (calls.enter()) held++;
          else {
            const waiter = calls.wait(now, line.length);
            if (waiter !== undefined) line.push(waiter);
          }
        } else if (kind === "giveUp") {
          const waiter = line[pick % Math.max(1, line.length)];
          if (waiter !== undefined) expect(calls.giveUp(waiter)).toBe(waiter.state === "left");
        } else if (held > 0) {
          const next = calls.leave(now);
          if (next === undefined) held--;
          else expect(next.state).toBe("entered");
        }
        expect(calls.inUse).toBe(held);
        expect(calls.inUse).toBeLessThanOrEqual(3);
        expect(calls.waiting).toBe(line.filter(({ state }) => state === "waiting").length);
        expect(calls.waiting).toBeLessThanOrEqual(4);
        if (calls.waiting > 0) expect(calls.inUse).toBe(3);
      }
    }),
  );
});

it.each([{ callsMax: 0 }, { waitersMax: -1 }, { waitMs: Number.NaN }, { places: 3 }])(
  "refuses %j",
  (options) => {
    expect(() => bulkhead(options)).toThrow(/TENFOLD|must be|has no/);
  },
);
