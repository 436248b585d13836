import { getEventListeners } from "node:events";
import { expect, test } from "vitest";

import { notice } from "./notice.ts";

const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

test("a notice wakes the waiter; one that nobody waited for is kept, once", async () => {
  const { signal } = new AbortController();
  const changed = notice();
  changed.notify();
  changed.notify();
  expect(await changed.wait(signal)).toBe(true);
  const waiting = changed.wait(signal);
  let isOver = false;
  void waiting.then(() => {
    isOver = true;
  });
  await new Promise(setImmediate);
  expect(isOver).toBe(false);
  changed.notify();
  expect(await waiting).toBe(true);
});

test("a signal ends a wait, also one with a notice kept, and every later one", async () => {
  const stop = new AbortController();
  const changed = notice();
  const waiting = changed.wait(stop.signal);
  stop.abort();
  expect(await waiting).toBe(false);
  changed.notify();
  expect(await changed.wait(stop.signal)).toBe(false);
  expect(await notice().wait(stop.signal)).toBe(false);
});

test("it listens to one signal at a time, once, and lets go of it", async () => {
  const [first, second] = [new AbortController(), new AbortController()];
  const changed = notice();
  for (let round = 0; round < 3; round++) {
    changed.notify();
    await changed.wait(first.signal);
  }
  expect(listeners(first.signal)).toBe(1);
  changed.notify();
  await changed.wait(second.signal);
  expect([listeners(first.signal), listeners(second.signal)]).toEqual([0, 1]);
  first.abort();
  changed.notify();
  expect(await changed.wait(second.signal)).toBe(true);
  changed.close();
  expect(listeners(second.signal)).toBe(0);
});
