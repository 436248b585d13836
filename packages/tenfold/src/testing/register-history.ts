import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { checkLinearizable, type RegisterCall } from "./linearizability.ts";

/** A history as text, one call a line, to be stored and checked again. */
export function historyText(calls: readonly RegisterCall[]): string {
  return calls.map((call) => `${JSON.stringify(call)}\n`).join("");
}

/** What `historyText` wrote: an unknown end has become null, a missing value was left out. */
export function historyOf(text: string): readonly RegisterCall[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const call = JSON.parse(line);
    return { ...call, answeredAt: call.answeredAt ?? Number.POSITIVE_INFINITY };
  });
}

/** Throws when no order explains the history; it is then kept in a file, which the error names. */
export function assertLinearizable(calls: readonly RegisterCall[]): void {
  const found = checkLinearizable(calls);
  if (found.verdict === "linearizable") return;
  const file = join(mkdtempSync(join(tmpdir(), "tenfold-history-")), "history.jsonl");
  writeFileSync(file, historyText(calls));
  const stuck = found.verdict === "broken" ? `; stuck: ${JSON.stringify(found.stuck)}` : "";
  assert.fail(`what was told of ${found.key} is ${found.verdict}; history: ${file}${stuck}`);
}
