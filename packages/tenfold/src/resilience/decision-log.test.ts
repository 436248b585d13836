import fc from "fast-check";
import { expect, it } from "vitest";

import { type CountedDecision, type DecisionKind, decisionLog } from "./decision-log.ts";

it("keeps the last decisions, oldest first, and finds those of a call", () => {
  const log = decisionLog(3);
  expect(log.list()).toEqual([]);
  for (let number = 1; number <= 5; number++) {
    log.record({ at: number * 10, number, attempt: 1 }, "retried", "failure", 7, "a");
  }
  expect(log.list().map(({ call }) => call)).toEqual([3, 4, 5]);
  const decision = { kind: "retried", why: "failure", ms: 7, endpoint: "a" };
  expect(log.list(4)).toEqual([{ at: 40, order: 3, call: 4, attempt: 1, ...decision }]);
});

it("counts with others, so that their decisions can be put in order", () => {
  const counted = { decisions: 0 };
  const logs = [decisionLog(8, counted), decisionLog(8, counted)] as const;
  for (const at of [0, 1, 1, 0]) {
    logs[at]?.record({ at: 10, number: 1, attempt: 1 }, "held", "", 0, "");
  }
  expect(logs.map((log) => log.list().map(({ order }) => order))).toEqual([
    [0, 3],
    [1, 2],
  ]);
});

it("refuses a size that is none", () => {
  expect(() => decisionLog(0)).toThrow(/entriesMax must be/);
});

it("lists what the ends of plain lists list, and all of them together in order", () => {
  const kinds: readonly DecisionKind[] = ["picked", "held", "retried", "gaveUp", "timedOut"];
  const entry = fc.record({
    log: fc.nat(1),
    at: fc.double({ noNaN: true }),
    call: fc.nat(4),
    attempt: fc.integer({ min: 1, max: 10 }),
    kind: fc.constantFrom(...kinds),
    why: fc.string(),
    ms: fc.double({ noNaN: true }),
    endpoint: fc.string(),
  });
  const size = fc.integer({ min: 1, max: 9 });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 60 }), size, size, (entries, ...sizes) => {
      const counted = { decisions: 0 };
      const logs = sizes.map((each) => decisionLog(each, counted));
      const plain: CountedDecision[][] = [[], []];
      for (const [order, { log, ...decision }] of entries.entries()) {
        const { at, call: number, attempt, kind, why, ms, endpoint } = decision;
        logs[log]?.record({ at, number, attempt }, kind, why, ms, endpoint);
        plain[log]?.push({ ...decision, order });
      }
      for (const [i, log] of logs.entries()) {
        const kept = plain[i]?.slice(-(sizes[i] as number)) ?? [];
        expect(log.list()).toEqual(kept);
        for (let call = 0; call < 5; call++) {
          expect(log.list(call)).toEqual(kept.filter((each) => each.call === call));
        }
      }
    }),
  );
});
