import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { fileStorage } from "./storage.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tenfold-storage-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const text = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);

test("of many that create one file at once, one succeeds, and the file is the winner's", async () => {
  const all = Array.from({ length: 20 }, (_, index) => String(index));
  const made = await Promise.all(
    all.map((contents) => fileStorage(folder).create("deep/one", contents)),
  );
  const winner = made.indexOf(true);
  expect(made.filter(Boolean)).toHaveLength(1);
  expect(text(await fileStorage(folder).read("deep/one"))).toBe(String(winner));
  expect(await readdir(join(folder, "deep"))).toEqual(["one"]);
});

test("writes at once leave one of them whole; what is removed can be created again", async () => {
  const storage = fileStorage(folder);
  const long = (digit: number) => String(digit).repeat(100_000);
  await Promise.all([1, 2, 3, 4].map((digit) => storage.write("one", long(digit))));
  const last = text(await storage.read("one")) ?? "";
  expect([1, 2, 3, 4].map(long)).toContain(last);
  expect(await storage.create("one", "new")).toBe(false);
  await storage.remove("one");
  await storage.remove("one");
  expect(await storage.read("one")).toBeUndefined();
  expect(await storage.create("one", "new")).toBe(true);
  expect(await storage.list("")).toEqual(["one"]);
});
