import { closeSync, writeSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { openChildLog, trimChildLog } from "./child-log.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tenfold-log-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("a log is emptied under its writer, which goes on at the beginning", async () => {
  const file = join(folder, "posts-1.log");
  const read = (name: string) => readFile(name, "utf8");
  const writer = openChildLog(file);
  writeSync(writer, "first\n");
  trimChildLog(file, 7);
  expect(await read(file)).toBe("first\n");
  writeSync(writer, "second\n");
  trimChildLog(file, 7);
  expect(await read(`${file}.1`)).toBe("first\nsecond\n");
  writeSync(writer, "third\n");
  expect(await read(file)).toBe("third\n");
  trimChildLog(file, 1);
  expect(await read(`${file}.1`)).toBe("third\n");
  closeSync(writer);
  trimChildLog(join(folder, "none.log"));
});
