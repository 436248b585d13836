import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { Balancer } from "./balancer.ts";
import type { Candidate } from "./candidate.ts";
import { dynamicWeighted } from "./dynamic-weighted.ts";
import { outcomeWindow } from "./outcome-window.ts";
import type { Picking } from "./picking.ts";
import { hosts, once, pool } from "./pool.fixture.ts";
import { randomChoices } from "./random-choices.ts";
import { serverQueues } from "./server-queues.ts";
import { smoothWeighted } from "./smooth-weighted.ts";

const hourMs = 3_600_000;

const reading = fc.oneof(
  fc.integer({ min: -4 * hourMs, max: 4 * hourMs }),
  fc.nat(5_000),
  fc.constantFrom(1e14, 1e20, -1e300, Number.NaN, Number.POSITIVE_INFINITY, -Infinity),
);

const pickings: readonly (readonly [string, Picking])[] = [
  ["random choices", randomChoices()],
  ["smooth weighted", smoothWeighted()],
  ["dynamic weighted", dynamicWeighted()],
];

/** The share of h0 in calls that all go well, ten milliseconds apart. */
function shareOfFirst(choice: Balancer<Candidate>, fromMs: number, toMs: number): number {
  let [here, all] = [0, 0];
  for (let now = fromMs; now < toMs; now += 10) {
    if (once(choice, now, "success", { mayProbe: true })?.endpoint.id === "h0") here++;
    all++;
  }
  return here / all;
}

describe.each(pickings)("%s, whatever the clock says", (_name, picking) => {
  it("goes on, and gives a healed host its share back within ten seconds", () => {
    fc.assert(
      fc.property(fc.array(reading, { maxLength: 60 }), fc.nat(1e9), (readings, from) => {
        const choice = pool(hosts(3), { picking });
        for (const now of readings) {
          const picked = choice.pick(now, { mayProbe: true });
          picked?.report(now, picked.endpoint.id === "h0" ? "failure" : "success", 10);
          picked?.release();
          choice.restore(now, choice.save(now));
        }
        shareOfFirst(choice, from, from + 10_000);
        expect(shareOfFirst(choice, from + 10_000, from + 15_000)).toBeGreaterThan(0.25);
      }),
      { numRuns: 30 },
    );
  });
});

it("a clock that is set back by an hour keeps no ejected host out, nor a new one small", () => {
  const choice = pool(hosts(3));
  const exclude = new Set(["h1", "h2"]);
  for (let i = 0; i < 5; i++) once(choice, hourMs, "failure", { exclude });
  expect(choice.save(hourMs).endpoints[0]?.health.ejected).toBe(true);
  shareOfFirst(choice, 0, 10_000);
  expect(shareOfFirst(choice, 10_000, 15_000)).toBeGreaterThan(0.3);
});

it("the window of outcomes takes a leap of any length at once", () => {
  const window = outcomeWindow(1_000);
  window.record(5, false);
  window.record(1e20, false);
  expect([window.total, window.failures]).toEqual([1, 1]);
});

it("a queue neither starves nor holds a call for longer when the clock is set", () => {
  const choice = pool(hosts(1));
  const servers = serverQueues<Candidate, number>({
    balancer: choice,
    inFlightMax: 1,
    waitMsMax: 100,
  });
  const running = servers.offer(hourMs, 0);
  servers.offer(hourMs, 1);
  for (const now of [Number.NaN, Number.POSITIVE_INFINITY, 1e20, 0, 99]) {
    expect(servers.expire(now)).toEqual([]);
  }
  expect(servers.expire(100).map(({ call }) => call)).toEqual([1]);
  servers.offer(100, 2);
  if (running === undefined) throw new Error("nothing runs");
  expect(servers.end(Number.NaN, running).map(({ call }) => call)).toEqual([2]);
});
