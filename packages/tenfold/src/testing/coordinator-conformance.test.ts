import { describe, expect, test, vi } from "vitest";

import type { Coordinator } from "../coordination/coordinator.ts";
import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { memoryStore } from "../engines/memory/store.ts";
import type { BrokenCoordinator } from "./bent-coordinator.fixture.ts";
import { brokenInside } from "./broken-inside.fixture.ts";
import { brokenOutside } from "./broken-outside.fixture.ts";
import { testConformance } from "./conformance-tests.fixture.ts";
import { coordinatorConformance } from "./coordinator-conformance.ts";

/** Of a clock that is moved by hand. */
const patienceMs = 1_500;

/** All clients of one store, each bent by `bend`. */
function memory(bend: (client: Coordinator) => Coordinator = (client) => client) {
  const store = memoryStore();
  return { connect: async () => bend(createMemoryCoordinator({ store })) };
}

describe("the memory coordinator", () => {
  testConformance(test.concurrent, { beside: memory(), alone: memory() });
});

describe("the suite fails a coordinator that", () => {
  test.each(Object.entries(brokenInside))("%s, in no other case", async (_, { fails, bend }) => {
    const link = { connects: 0, reconnect: () => createMemoryCoordinator() };
    const cases = coordinatorConformance({
      ...memory((client) => bend(client, link)),
      ...{ patienceMs, ttlMs: 1_000 },
    });
    // The suite waits long before it calls a state lost: on a clock that is moved by hand.
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] });
    try {
      const failed: string[] = [];
      const running = cases
        .filter((one) => one.needs === undefined)
        .map(({ name, run }) => run().catch(() => void failed.push(name)));
      await vi.advanceTimersByTimeAsync(4 * patienceMs);
      await Promise.all(running);
      expect(failed.sort()).toEqual([...fails].sort());
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("a known fault of the servers", () => {
  const { bend, fails } = brokenInside["answers some reads from memory"] as BrokenCoordinator;
  const [name] = fails;
  const link = { connects: 0, reconnect: () => createMemoryCoordinator() };
  const broken = memory((client) => bend(client, link));
  const fault = { issue: "engine/engine#1", property: 15, saying: /is broken; history/ };
  /** What a runner reports of the case with these servers and this claim. */
  const reported = async (servers: ReturnType<typeof memory>, claim: Partial<typeof fault>) => {
    const stand = { ...servers, knownFaults: async () => [{ ...fault, ...claim }] };
    const skipped: string[] = [];
    const bodies = new Map<string, Parameters<Parameters<typeof testConformance>[0]>[2]>();
    testConformance((one, _, run) => void bodies.set(one, run), { beside: stand, alone: stand });
    const body = bodies.get(name as string);
    const outcome = await body?.({ skip: (reason) => void skipped.push(reason) }).then(
      () => "passed",
      (error: unknown) => (error instanceof Error ? error.name : error),
    );
    return skipped[0] ?? outcome;
  };

  test("is reported by its issue when it accounts for a failure: neither passed nor failed", async () => {
    expect(await reported(broken, {})).toMatch(/^known fault engine\/engine#1: Assertion/);
  });
  test("excuses no other property and no failure that says something else", async () => {
    expect(await reported(broken, { property: 14 })).toBe("AssertionError");
    expect(await reported(broken, { saying: /is undecided/ })).toBe("AssertionError");
  });
  test("takes nothing from a case that passes", async () => {
    expect(await reported(memory(), {})).toBe("passed");
  });
  test("is an error for whoever runs the cases without knowing of it", async () => {
    const options = { ...broken, knownFaults: async () => [fault] };
    const one = coordinatorConformance(options).find((each) => each.name === name);
    await expect(one?.run()).rejects.toMatchObject({ name: "KnownFailure", issue: fault.issue });
  });
});

test("each of the twenty properties has a case, and a broken coordinator that fails it", () => {
  const all = coordinatorConformance(memory());
  const wanted = Array.from({ length: 20 }, (_, i) => i + 1);
  const shown = new Set(all.map(({ property }) => property));
  expect(wanted.filter((property) => !shown.has(property))).toEqual([]);
  const broken = [...Object.values(brokenInside), ...Object.values(brokenOutside)];
  const failing = broken.flatMap(({ fails }) => fails);
  const failed = new Set(
    failing.map((name) => {
      const guard = all.find((one) => one.name === name);
      expect(guard, name).toBeDefined();
      return guard?.property;
    }),
  );
  expect(wanted.filter((property) => !failed.has(property))).toEqual([]);
});
