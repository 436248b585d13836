import { expect, test } from "vitest";

import { seededRandom } from "../runtime/random.ts";
import { restartPolicy, restartPolicyDefaults } from "./restart-policy.ts";

const { crashLoopAfter, crashLoopDelayMs, delayMaxMs, stableAfterMs } = restartPolicyDefaults;

test("a process that was up for a while is started again at once, however often", () => {
  const policy = restartPolicy(seededRandom("stable"));
  for (let i = 0; i < 20; i++) {
    expect(policy.ended(stableAfterMs)).toEqual({ delayMs: 0, looping: false, alarm: false });
  }
});

test("one that keeps ending waits longer each time, then loops, with one alarm", () => {
  const policy = restartPolicy(seededRandom("crash"));
  const decisions = Array.from({ length: crashLoopAfter + 3 }, () => policy.ended(10));
  expect(decisions[0]?.delayMs).toBe(0);
  const delays = decisions.slice(1, crashLoopAfter - 1).map(({ delayMs }) => delayMs);
  expect(delays).toEqual([...delays].sort((a, b) => a - b));
  expect(Math.max(...delays)).toBeLessThanOrEqual(delayMaxMs);
  expect(decisions.map(({ looping }) => looping).indexOf(true)).toBe(crashLoopAfter - 1);
  expect(decisions.filter(({ alarm }) => alarm)).toHaveLength(1);
  expect(decisions.at(-1)?.delayMs).toBe(crashLoopDelayMs);
});

test("a stable run forgives what was before", () => {
  const policy = restartPolicy(seededRandom("forgive"));
  for (let i = 0; i < crashLoopAfter; i++) policy.ended(10);
  policy.ended(stableAfterMs);
  expect(policy.ended(10)).toEqual({ delayMs: 0, looping: false, alarm: false });
});
