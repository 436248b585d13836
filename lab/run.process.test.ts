import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";

const folder = import.meta.dirname;
const out = mkdtempSync(join(tmpdir(), "tenfold-lab-"));
afterAll(() => rmSync(out, { recursive: true, force: true }));

function lab(...args: readonly string[]): { status: number | null; stdout: string } {
  return spawnSync(
    process.execPath,
    [
      "--conditions=tenfold:source",
      join(folder, "run.ts"),
      "--folder",
      join(folder, "support/canary"),
      "--out",
      out,
      ...args,
    ],
    { encoding: "utf8" },
  );
}

it("exits 1 when a claim is broken, 0 when all hold, 2 when there is no such experiment", () => {
  expect(lab("r1", "r2")).toMatchObject({ status: 1 });
  expect(lab("R2")).toMatchObject({ status: 0 });
  expect(lab("r99")).toMatchObject({ status: 2 });
});

it("prints one JSON document and nothing else with --json", () => {
  const { experiments, machine } = JSON.parse(lab("all", "--json").stdout);
  expect(experiments.map((each: { holds: boolean }) => each.holds)).toEqual([false, true]);
  expect(machine.cores).toBeGreaterThan(0);
});

it("refuses to run on built output", () => {
  const { status, stderr } = spawnSync(process.execPath, [join(folder, "run.ts")], {
    encoding: "utf8",
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  expect(status).toBe(1);
  expect(stderr).toContain("--conditions=tenfold:source");
});
