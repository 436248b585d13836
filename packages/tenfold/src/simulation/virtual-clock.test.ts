import { expect, test } from "vitest";

import { virtualClock } from "./virtual-clock.ts";

test("timers fire at their own instant, in order of time and then of setting", async () => {
  const clock = virtualClock();
  const fired: string[] = [];
  const at = (name: string) => () => void fired.push(`${name}@${clock.now()}`);
  clock.setTimer(20, at("c"));
  clock.setTimer(10, at("a"));
  clock.setTimer(10, at("b"));
  clock.setTimer(15, at("never")).cancel();
  await clock.advance(15);
  expect(fired).toEqual(["a@10", "b@10"]);
  expect(clock.now()).toBe(15);
  await clock.run();
  expect(fired.at(-1)).toBe("c@20");
  expect(clock.pending).toBe(0);
});

test("what follows from a timer happens before the next timer", async () => {
  const clock = virtualClock();
  const steps: number[] = [];
  const walk = async (): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      await clock.sleep(10);
      steps.push(clock.now());
    }
  };
  const walking = walk();
  await clock.advance(1_000);
  await walking;
  expect(steps).toEqual([10, 20, 30]);
});

test("run stops at what does not keep the process alive, and at its limit", async () => {
  const clock = virtualClock();
  const beat = (): void => void clock.setTimer(10, beat, { keepAlive: false });
  beat();
  clock.setTimer(25, () => {});
  await clock.run();
  expect(clock.now()).toBe(25);
  const forever = (): void => void clock.setTimer(10, forever);
  forever();
  await clock.run(100);
  expect(clock.now()).toBe(125);
});
