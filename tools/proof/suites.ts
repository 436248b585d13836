import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { root } from "../architecture/tree.ts";
import { engineSearchPath } from "../engines/index.ts";
import { runCommand } from "./run-command.ts";
import type { Step, StepResult } from "./steps.ts";
import { oneCheck, type TestCounts } from "./test-counts.ts";

/** What hangs is to be ended; how long it takes on a busy machine is not judged. */
const budgetsMs = { command: 300_000 } as const;

/** A program that is right when it exits 0. */
export function commandStep(name: string, program: string, args: readonly string[]): Step {
  return {
    name,
    async run() {
      const path = join(root, "node_modules", ".bin", program);
      const { code, output } = await runCommand(path, args, { budgetMs: budgetsMs.command });
      return { ...oneCheck(code === 0), output };
    },
  };
}

/** A vitest project of `vitest.config.ts`. */
export function vitestStep(name: string, project: string, budgetMs: number): Step {
  return { name, run: () => runVitest(project, budgetMs) };
}

async function runVitest(project: string, budgetMs: number): Promise<StepResult> {
  const folder = mkdtempSync(join(tmpdir(), "tenfold-tests-"));
  try {
    const report = join(folder, "report.json");
    const program = join(root, "node_modules/vitest/vitest.mjs");
    const { code, output } = await runCommand(
      process.execPath,
      [program, "run", "--project", project],
      {
        budgetMs,
        env: { TENFOLD_TEST_REPORT: report, NO_COLOR: "1", PATH: engineSearchPath() },
      },
    );
    const counts = readReport(report);
    if (counts === undefined) return { ...oneCheck(false), output };
    // An unhandled error fails the run without failing a test.
    const failed = code !== 0 && counts.failed === 0 ? 1 : counts.failed;
    return { ...counts, failed, output };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readReport(file: string): TestCounts | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as TestCounts;
  } catch {
    return undefined;
  }
}
