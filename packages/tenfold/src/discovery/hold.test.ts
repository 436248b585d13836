import { expect, it } from "vitest";

import { hold } from "./hold.ts";

it("bounds those inside by number and bytes, and lets each out once", () => {
  const inside = hold({ heldMax: 2, heldBytesMax: 100 });
  const first = inside.enter(60);
  expect(() => inside.enter(41)).toThrow(/wait/);
  const second = inside.enter(40);
  expect(() => inside.enter(0)).toThrow(/wait/);
  expect(inside.count).toBe(2);
  first();
  first();
  expect(inside.count).toBe(1);
  inside.enter(60);
  second();
  expect(inside.count).toBe(1);
});
