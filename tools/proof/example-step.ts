import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { root } from "../architecture/tree.ts";
import { exampleOf, outputDifference } from "./example.ts";
import { runCommand } from "./run-command.ts";
import type { Step } from "./steps.ts";

const exampleBudgetMs = 150_000;

/** Runs each file of `examples/` alone and compares what it prints with what it says it prints. */
export function exampleStep(): Step {
  return {
    name: "examples",
    async run() {
      const folder = join(root, "examples");
      const names = readdirSync(folder).filter((name) => name.endsWith(".ts"));
      const problems: string[] = [];
      for (const name of names.sort()) {
        const problem = await tryExample(join(folder, name));
        if (problem !== undefined) problems.push(`examples/${name}: ${problem}`);
      }
      const failed = problems.length;
      return { passed: names.length - failed, failed, skipped: [], output: problems.join("\n") };
    },
  };
}

async function tryExample(file: string): Promise<string | undefined> {
  const { expected } = exampleOf(readFileSync(file, "utf8"));
  const { code, stdout, output } = await runCommand(
    process.execPath,
    ["--conditions=tenfold:source", file],
    { budgetMs: exampleBudgetMs },
  );
  if (code !== 0) return `exit code ${code}\n${output}`;
  return outputDifference(expected, stdout);
}
