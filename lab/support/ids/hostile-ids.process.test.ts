import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { whyMissing } from "../../../tools/engines/index.ts";
import { fakeClockLibrary } from "./fake-clock.ts";
import { hostilities, makeHostileIds } from "./hostile-ids.ts";

const fakeClock = fakeClockLibrary();
let folder = "";
beforeEach(({ skip }) => {
  if (fakeClock === undefined) skip(whyMissing("faketime"));
  folder = mkdtempSync(join(tmpdir(), "tenfold-hostile-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("eight processes that are stopped, killed, robbed, and whose clocks step", () => {
  test.each(["coordinator", "folder"] as const)("worker numbers by %s", async (kind) => {
    const made = await makeHostileIds({
      folder,
      fakeClock: fakeClock as string,
      seed: `${kind}-${process.pid}`,
      kind,
      processes: 8,
      burst: 1_000,
      pauseMs: 5,
      enough({ ids, seconds, hostilities: done, leaps }) {
        const all = hostilities.every((each) => done[each] > 0);
        return all && leaps.ahead > 0 && leaps.back > 0 && seconds > 7 && ids > 500_000;
      },
    });
    const sound = { duplicates: 0, outOfOrder: 0, interleaved: 0 };
    expect(made, JSON.stringify(made)).toMatchObject(sound);
  });
});
