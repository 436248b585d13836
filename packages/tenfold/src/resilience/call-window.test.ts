import fc from "fast-check";
import { expect, it } from "vitest";

import { callWindow, windowParts } from "./call-window.ts";

it("counts what a plain list of the calls within the window counts", () => {
  const step = fc.tuple(fc.nat(30_000), fc.boolean(), fc.boolean());
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const window = callWindow(10_000);
      const seen: { part: number; failed: boolean; slow: boolean }[] = [];
      let at = 0;
      for (const [wait, failed, slow] of steps) {
        at += wait;
        window.add(at, failed, slow);
        const part = Math.floor(at / 1_000);
        seen.push({ part, failed, slow });
        const kept = seen.filter((each) => each.part > part - windowParts);
        expect([window.calls, window.failures, window.slow]).toEqual([
          kept.length,
          kept.filter((each) => each.failed).length,
          kept.filter((each) => each.slow).length,
        ]);
      }
    }),
  );
});

it("forgets everything in a pause as long as itself", () => {
  const window = callWindow(1_000);
  for (let i = 0; i < 100; i++) window.add(i * 10, true, true);
  window.turn(1e12);
  expect([window.calls, window.failures, window.slow]).toEqual([0, 0, 0]);
});

it("loads what it gave, with the ages kept", () => {
  const window = callWindow(1_000);
  window.add(50, true, false);
  window.add(950, false, true);
  const copy = callWindow(1_000);
  copy.load(7_777_777, window.parts());
  expect(copy.parts()).toEqual(window.parts());
  copy.turn(7_777_777 + 100);
  expect([copy.calls, copy.failures, copy.slow]).toEqual([1, 0, 1]);
});
