import fc from "fast-check";
import { expect, it } from "vitest";

import { systemClock } from "../runtime/clock.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";
import { type Ending, EndTimes } from "./end-times.ts";

function stand(isSteady = true) {
  const clock = virtualClock();
  let timers = 0;
  const counting: ConstructorParameters<typeof EndTimes>[0] = {
    now: () => clock.now(),
    setTimer(delayMs, run) {
      timers++;
      const timer = clock.setTimer(delayMs, () => {
        timers--;
        run();
      });
      return {
        cancel() {
          timers--;
          timer.cancel();
        },
      };
    },
  };
  const ends = new EndTimes(counting, isSteady);
  const ended: [name: number, at: number][] = [];
  const begin = (name: number, inMs: number): Ending => {
    const endsAt = clock.now() + inMs;
    const ending = { endsAt, place: -1, onTime: () => void ended.push([name, clock.now()]) };
    ends.add(ending, inMs);
    return ending;
  };
  return { clock, ends, ended, begin, timers: () => timers };
}

it("ends each at its time, whatever came and went before, with one timer at most", async () => {
  const plan = fc.array(
    fc.record({
      afterMs: fc.integer({ min: 0, max: 20 }),
      inMs: fc.integer({ min: 1, max: 50 }),
      goneAfterMs: fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined }),
    }),
    { maxLength: 30 },
  );
  await fc.assert(
    fc.asyncProperty(plan, async (each) => {
      const { clock, ends, ended, begin, timers } = stand();
      const expected: [number, number][] = [];
      for (const [name, { afterMs, inMs, goneAfterMs }] of each.entries()) {
        await clock.advance(afterMs);
        const ending = begin(name, inMs);
        if (goneAfterMs === undefined || goneAfterMs >= inMs) {
          expected.push([name, ending.endsAt]);
        } else clock.setTimer(goneAfterMs, () => ends.remove(ending));
        expect(timers()).toBeLessThanOrEqual(1);
      }
      await clock.advance(200);
      const byName = (a: [number, number], b: [number, number]): number => a[0] - b[0];
      expect(ended.toSorted(byName)).toEqual(expected);
      expect(ended.every(([, at], i) => i === 0 || at >= (ended[i - 1]?.[1] ?? 0))).toBe(true);
      expect(timers()).toBe(0);
    }),
  );
});

it("has no timer when nothing is under way", async () => {
  const { ends, begin, timers } = stand();
  const [first, second] = [begin(1, 10), begin(2, 20)];
  expect(timers()).toBe(1);
  ends.remove(first);
  expect(timers()).toBe(1);
  ends.remove(second);
  ends.remove(second);
  expect(timers()).toBe(0);
});

it("lets one that ends take others with it", async () => {
  const { clock, ends, ended, begin } = stand();
  const other = begin(2, 10);
  const endsAt = clock.now() + 5;
  ends.add({ endsAt, place: -1, onTime: () => ends.remove(other) }, 5);
  await clock.advance(50);
  expect(ended).toEqual([]);
});

it("takes the system's clock alone for one that goes as timers do", async () => {
  const { clock, ends, begin, timers } = stand(false);
  expect([new EndTimes(systemClock).isSteady, new EndTimes(clock).isSteady]).toEqual([true, false]);
  const [first, second] = [begin(1, 10), begin(2, 20)];
  expect(timers()).toBe(2);
  ends.remove(first);
  ends.remove(first);
  ends.remove(second);
  expect(timers()).toBe(0);
});
