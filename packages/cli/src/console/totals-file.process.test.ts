import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileStorage, silentLog } from "tenfold/runtime";
import { expect, test } from "vitest";

import { totalsFile } from "./totals-file.ts";

test("totals come back in the same run only, and a broken file is as none", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tenfold-totals-"));
  try {
    const file = totalsFile(fileStorage(folder), silentLog);
    const reading = { instance: "gateway", incarnation: "1 2", requests: 9, failed: 1 };
    const totals = { requests: 9, failed: 1, readings: [reading] };
    expect(await file.read("7")).toBeUndefined();
    file.save("7", totals, 0);
    await expect.poll(() => file.read("7")).toEqual(totals);
    expect(await file.read(undefined)).toEqual(totals);
    expect(await file.read("8")).toBeUndefined();
    for (const broken of ["", "{}", '{"run":"7","totals":{"requests":"9"}}']) {
      await writeFile(join(folder, "totals.json"), broken);
      expect(await file.read("7")).toBeUndefined();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
