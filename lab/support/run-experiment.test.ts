import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

import { assertSources } from "./assert-sources.ts";
import { defineExperiment, type Lab } from "./experiment.ts";
import { formatNumber, type Goal, goalHolds } from "./goal.ts";
import { describeMachine } from "./machine.ts";
import { memoryOfTree } from "./pss.ts";
import { type ExperimentReport, runExperiment } from "./run-experiment.ts";

describe("an experiment", () => {
  const outFolder = mkdtempSync(join(tmpdir(), "tenfold-lab-"));
  afterAll(() => rmSync(outFolder, { recursive: true, force: true }));
  const judge = (run: (lab: Lab) => Promise<void>): Promise<ExperimentReport> =>
    runExperiment(defineExperiment({ id: "R0", title: "t", claim: "c", expectedMinutes: 0, run }), {
      outFolder,
      machine: describeMachine(),
      full: false,
      coordinator: "embedded",
      say: () => {},
      signal: new AbortController().signal,
    });
  const give = (value: number, goal?: Goal) => async (lab: Lab) =>
    lab.figure({ name: "n", value, unit: "", ...(goal === undefined ? {} : { goal }) });

  it("holds when every goal is met, and only then", async () => {
    expect((await judge(give(0, { equals: 0 }))).holds).toBe(true);
    expect((await judge(give(1, { equals: 0 }))).holds).toBe(false);
    expect((await judge(give(Number.NaN, { atMost: 5 }))).holds).toBe(false);
  });

  it("shows nothing without a goal", async () => {
    expect(await judge(give(0))).toMatchObject({ holds: false, error: /no figure/ });
  });

  it("fails when it throws, and cleans up in reverse order all the same", async () => {
    const undone: number[] = [];
    const report = await judge(async (lab) => {
      lab.atEnd(() => void undone.push(1));
      lab.atEnd(() => Promise.reject(new Error("stuck")));
      lab.atEnd(() => void undone.push(2));
      lab.figure({ name: "n", value: 1, unit: "", goal: { atLeast: 1 } });
      throw new Error("fell over");
    });
    expect(undone).toEqual([2, 1]);
    expect(report.holds).toBe(false);
    expect(report.error).toMatch(/fell over[\s\S]+stuck/);
  });

  it("draws into the output folder", async () => {
    const bars = [{ name: "a", value: 1 }];
    const report = await judge(async (lab) =>
      lab.plot({ kind: "bar", name: "x", title: "x", y: { label: "n" }, bars }),
    );
    expect(report.plots).toEqual(["r0-x.svg"]);
    expect(readdirSync(outFolder)).toContain("r0-x.svg");
  });
});

describe("what experiments lean on", () => {
  it("goals", () => {
    expect(goalHolds(5, { atMost: 5 })).toBe(true);
    expect(goalHolds(5.1, { atMost: 5 })).toBe(false);
    expect(goalHolds(5, { atLeast: 5.1 })).toBe(false);
    expect([12_345.6, 12.34, 1.234, 0.01234].map(formatNumber)).toEqual([
      "12,346",
      "12.3",
      "1.23",
      "0.0123",
    ]);
  });

  it("sources, not yesterday's output", () => {
    assertSources(() => "file:///x/packages/tenfold/src/runtime/index.ts");
    expect(() => assertSources(() => "file:///x/packages/tenfold/dist/runtime/index.js")).toThrow(
      "--conditions=tenfold:source",
    );
  });

  it("memory of a process and its children", () => {
    const own = memoryOfTree(process.pid).find(({ pid }) => pid === process.pid);
    expect(own?.pssMb).toBeGreaterThan(5);
  });
});
