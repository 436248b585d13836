import { expect, it } from "vitest";

import { callPolicy } from "../resilience/call-policy.ts";
import { seededRandom } from "../runtime/random.ts";
import { openLoop } from "./open-loop.ts";
import { type Fault, serverModel } from "./server-model.ts";
import { virtualClock } from "./virtual-clock.ts";

const down: Fault = {
  kind: "failing",
  server: "s",
  fromMs: 4_000,
  toMs: 9_000,
  share: 1,
  afterMs: 5,
};

/** What became of each call of a trace, by a policy as it stands in production. */
async function played(seed: string) {
  const clock = virtualClock();
  const spec = { id: "s", slots: 4, queueMax: 100, serviceMs: 10 };
  const server = serverModel(spec, [down], clock, seededRandom("server"));
  const runtime = { clock, random: seededRandom(seed) };
  const policy = callPolicy({ name: "s", idempotent: true, runtime });
  let asked = 0;
  const ask = (demand: number): Promise<void> => {
    asked++;
    return new Promise((resolve, reject) => {
      server.serve(demand, (ok) => (ok ? resolve() : reject(new Error("down"))));
    });
  };
  const ends: string[] = [];
  const call = async (demand: number): Promise<void> => {
    const { degraded } = await policy.runOr(
      () => ask(demand),
      () => "nothing",
    );
    ends.push(`${clock.now()} ${degraded}`);
  };
  const trace = { seed: "trace", durationMs: 30_000, perSecond: 50, clients: 1 };
  for (const { atMs, demand } of openLoop(trace)) clock.setTimer(atMs, () => void call(demand));
  await clock.run();
  const changes = policy.explain().filter(({ kind }) => kind === "circuitChanged");
  return { asked, ends, states: changes.map(({ why }) => why) };
}

it("a call policy runs against a server model in virtual time, each time the same", async () => {
  const once = await played("calls");
  expect(await played("calls")).toEqual(once);
  expect(await played("others")).not.toEqual(once);
  expect(once.states[0]).toBe("open");
  expect(once.states.at(-1)).toBe("closed");
  expect(once.ends.at(-1)).toMatch(/false$/);
  expect(once.ends.some((end) => end.endsWith("true"))).toBe(true);
  // The circuit kept most of the fault's calls away.
  expect(once.asked).toBeLessThan(once.ends.length);
});
