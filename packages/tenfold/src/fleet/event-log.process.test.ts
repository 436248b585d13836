import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { systemClock } from "../runtime/clock.ts";
import { createEventLog } from "./event-log.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tenfold-events-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const openLog = () => createEventLog(join(folder, "events.jsonl"), systemClock, () => {});
const event = (message: string) => ({ instance: "a", kind: "ready", message, unexpected: false });

test("events come after a sequence, at once or as soon as there is one", async () => {
  const log = openLog();
  log.add(event("one"));
  log.add(event("two"));
  expect((await log.after(1, 0)).map(({ message }) => message)).toEqual(["two"]);
  const coming = log.after(2, 10_000);
  log.add(event("three"));
  expect((await coming).map(({ sequence }) => sequence)).toEqual([3]);
  await log.close();
  expect((await readFile(join(folder, "events.jsonl"), "utf8")).trim().split("\n")).toHaveLength(3);
});

test("a reader from before a restart gets the events of the new life", async () => {
  const log = openLog();
  log.add(event("anew"));
  expect(await log.after(900, 0)).toHaveLength(1);
  expect(await log.after(1, 0)).toEqual([]);
  await log.close();
});
