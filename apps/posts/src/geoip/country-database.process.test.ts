import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemRuntime } from "tenfold/runtime";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { createCountryDatabase } from "./country-database.ts";
import { countryFile } from "./country-file.ts";
import { writeDemoDatabase } from "./demo-database.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tenfold-geoip-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});
const open = (path: string) => createCountryDatabase({ path, runtime: systemRuntime, checkMs: 10 });
const unavailable = (reason: RegExp) =>
  expect.objectContaining({
    code: "POSTS_GEOIP_UNAVAILABLE",
    status: 503,
    message: expect.stringMatching(reason),
  });

test("answers from the demo's file", async () => {
  await using database = await open(join(folder, await writeDemoDatabase(folder, systemRuntime)));
  expect(database.countryOf("192.0.2.1")).toBe("KR");
  expect(database.countryOf("10.0.0.1")).toBeNull();
  expect(database.countryOf("2001:db8:3::7")).toBe("DE");
});

test("missing, then truncated, then whole, then replaced, then damaged", async () => {
  const path = join(folder, "country.mmdb");
  const whole = countryFile([["192.0.2.0/24", "KR"]], 0);
  await using database = await open(path);
  const asked = () => database.countryOf("192.0.2.1");
  expect(asked).toThrow(unavailable(/its file is missing/));

  const metadataAt = whole.indexOf("MaxMind.com");
  for (const part of [0, 1, 100, metadataAt, metadataAt + 30, metadataAt + 100]) {
    await writeFile(path, whole.subarray(0, part));
    await vi.waitFor(() => expect(asked).toThrow(unavailable(/truncated/)), { timeout: 45_000 });
    await rm(path);
    await vi.waitFor(() => expect(asked).toThrow(unavailable(/missing/)), { timeout: 45_000 });
  }
  await writeFile(path, whole);
  await expect.poll(() => database.countryOf("192.0.2.1")).toBe("KR");

  await writeFile(`${path}.new`, countryFile([["192.0.2.0/24", "US"]], 0));
  await rename(`${path}.new`, path);
  await expect.poll(() => database.countryOf("192.0.2.1")).toBe("US");

  await writeFile(path, "not a database");
  const other = await open(path);
  expect(() => other.countryOf("192.0.2.1")).toThrow(unavailable(/not in MaxMind's format/));
  await other.close();
  expect(database.countryOf("192.0.2.1")).toBe("US");
});

test("a folder in place of the file is as good as none", async () => {
  await using database = await open(folder);
  expect(() => database.countryOf("192.0.2.1")).toThrow(unavailable(/its file is missing/));
});
