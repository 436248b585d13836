import fc from "fast-check";
import { expect, it } from "vitest";

import {
  attemptHeader,
  attemptMax,
  firstCall,
  incomingCall,
  markRetryStop,
  outgoingHeaders,
  retryHeader,
  saysRetryStop,
} from "./call-chain.ts";
import { deadlineMsMax } from "./deadline.ts";

const read = (headers: Record<string, string>) => incomingCall((name) => headers[name]);

it("reads what it writes; a repeated call is not to be repeated again", () => {
  const call = fc.record({
    remainingMs: fc.integer({ min: 0, max: deadlineMsMax }),
    attempt: fc.integer({ min: 1, max: attemptMax }),
    mayRetry: fc.boolean(),
  });
  fc.assert(
    fc.property(call, (sent) => {
      const mayRetry = sent.mayRetry && sent.attempt === 1;
      expect(read(outgoingHeaders(sent))).toEqual({ ...sent, mayRetry });
    }),
  );
  expect(read({})).toEqual(firstCall);
});

it.each(["0", "-1", "1.5", "101", "1e1", "", " 1", "9".repeat(400)])(
  "refuses the attempt %j",
  (text) => {
    expect(() => read({ [attemptHeader]: text })).toThrow(
      expect.objectContaining({ code: "TENFOLD_RESILIENCE_CHAIN_INVALID" }),
    );
  },
);

it("refuses another signal than stop", () => {
  expect(() => read({ [retryHeader]: "go" })).toThrow(/tenfold-retry must be "stop", got "go"/);
});

it("marks errors and replies, and lets alone what cannot be marked", () => {
  const error = new Error("down");
  markRetryStop(error);
  expect(saysRetryStop(error)).toBe(true);
  expect(Object.keys(error)).toEqual([]);
  for (const other of [undefined, null, "text", 7, Object.freeze({})]) {
    markRetryStop(other);
    expect(saysRetryStop(other)).toBe(false);
  }
});
