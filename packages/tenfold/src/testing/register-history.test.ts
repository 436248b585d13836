import { readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, test } from "vitest";

import { checkLinearizable, type RegisterCall } from "./linearizability.ts";
import { assertLinearizable, historyOf, historyText } from "./register-history.ts";

/** Told by servers, or bent by hand from what they told. */
const stored = {
  "linearizable.jsonl": "linearizable",
  "answers-cut-off.jsonl": "linearizable",
  "stale-read.jsonl": "broken",
  "two-winners.jsonl": "broken",
} as const;

describe("a stored history is judged as it was", () => {
  test.each(Object.entries(stored))("%s: %s", (name, verdict) => {
    const text = readFileSync(new URL(`./histories/${name}`, import.meta.url), "utf8");
    const calls = historyOf(text);
    expect(calls.length).toBeGreaterThan(3);
    expect(checkLinearizable(calls).verdict).toBe(verdict);
    expect(historyText(calls)).toBe(text);
  });
});

test("a history that no order explains is kept where its error says", () => {
  const calls: readonly RegisterCall[] = [
    { key: "a", calledAt: 1, answeredAt: 2, action: { kind: "write", value: "x" } },
    { key: "a", calledAt: 3, answeredAt: Infinity, action: { kind: "write", value: undefined } },
    { key: "a", calledAt: 4, answeredAt: 5, action: { kind: "read", value: "y" } },
  ];
  let message = "";
  try {
    assertLinearizable(calls);
  } catch (error) {
    message = String(error);
  }
  const file = /history: (\S+\.jsonl)/.exec(message)?.[1] ?? "";
  const kept = historyOf(readFileSync(file, "utf8"));
  rmSync(dirname(file), { recursive: true });
  expect(message).toContain("what was told of a is broken");
  expect(kept).toEqual(calls);
  expect(checkLinearizable(kept).verdict).toBe("broken");
});
