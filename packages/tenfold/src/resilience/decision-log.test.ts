import { expect, it } from "vitest";

import { decisionLog } from "./decision-log.ts";

it("keeps the last decisions, oldest first, and finds those of a call", () => {
  const log = decisionLog(3);
  expect(log.list()).toEqual([]);
  for (let number = 1; number <= 5; number++) {
    log.record({ at: number * 10, number, attempt: 1 }, "retried", "failure", 7, "a");
  }
  expect(log.list().map(({ call }) => call)).toEqual([3, 4, 5]);
  expect(log.list(4)).toEqual([
    { at: 40, call: 4, attempt: 1, kind: "retried", why: "failure", ms: 7, endpoint: "a" },
  ]);
});

it("refuses a size that is none", () => {
  expect(() => decisionLog(0)).toThrow(/entriesMax must be/);
});
