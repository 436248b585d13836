import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { judgeRuns, openRunLog } from "./id-runs.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tenfold-runs-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, ids: readonly bigint[]): void {
  const log = openRunLog(folder, name, 2);
  for (const id of ids) log.add(id);
  log.close();
}

const span = (from: number, to: number): bigint[] =>
  Array.from({ length: to - from }, (_, step) => BigInt(from + step));

test("sound logs are found sound", () => {
  write("1-a", [...span(0, 100), ...span(200, 250), 300n]);
  write("1-b", span(400, 500));
  write("2-c", span(100, 200));
  const sound = { duplicates: 0, outOfOrder: 0, interleaved: 0 };
  expect(judgeRuns(folder)).toEqual({ ...sound, ids: 351, workers: 2, logs: 3 });
});

test("ids that were made twice are counted, in one log or several", () => {
  write("1-a", [...span(0, 100), ...span(90, 95)]);
  write("2-b", span(50, 60));
  expect(judgeRuns(folder)).toMatchObject({ ids: 115, duplicates: 15, outOfOrder: 1 });
});

test("makers of one number that take turns are noticed though no id is made twice", () => {
  write("1-a", [1n, 3n]);
  write("1-b", [2n, 4n]);
  expect(judgeRuns(folder)).toMatchObject({ duplicates: 0, interleaved: 1 });
});
