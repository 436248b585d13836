import { expect, test } from "vitest";

import { sideBySide } from "./side-by-side.ts";

const forever = new AbortController().signal;

test("the first failure aborts the rest, and is thrown when the rest has ended", async () => {
  const ended: string[] = [];
  const slow = async (signal: AbortSignal): Promise<void> => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    await new Promise((resolve) => setImmediate(resolve));
    ended.push("slow");
    throw new Error("a consequence");
  };
  const failing = (): Promise<void> => Promise.reject(new Error("the cause"));
  await expect(sideBySide(forever, [slow, failing])).rejects.toThrow("the cause");
  expect(ended).toEqual(["slow"]);
});

test("the caller's abort reaches all of the work", async () => {
  const asked = new AbortController();
  const reasons: unknown[] = [];
  const work = async (signal: AbortSignal): Promise<void> => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    reasons.push(signal.reason);
    signal.throwIfAborted();
  };
  const all = sideBySide(asked.signal, [work, work]);
  asked.abort("enough");
  await expect(all).rejects.toBe("enough");
  expect(reasons).toEqual(["enough", "enough"]);
});
