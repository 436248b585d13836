import { expect, it } from "vitest";

import { decisionLog } from "./decision-log.ts";

it("keeps the last decisions, oldest first, and finds those of a call", () => {
  const log = decisionLog(3);
  expect(log.list()).toEqual([]);
  for (let call = 1; call <= 5; call++) log.record(call * 10, call, 1, "retried", "failure", 7);
  expect(log.list().map(({ call }) => call)).toEqual([3, 4, 5]);
  expect(log.list(4)).toEqual([
    { at: 40, call: 4, attempt: 1, kind: "retried", why: "failure", ms: 7 },
  ]);
});

it("refuses a size that is none", () => {
  expect(() => decisionLog(0)).toThrow(/entriesMax must be/);
});
