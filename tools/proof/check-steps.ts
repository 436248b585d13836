import { driftStep } from "./drift-step.ts";
import type { Step } from "./steps.ts";
import { commandStep, vitestStep } from "./suites.ts";

/** Ends a run that hangs. On two quiet cores it takes under 30 s. */
const unitBudgetMs = 600_000;

/** What `npm run check` proves, as lanes that run beside each other on two cores. */
export function checkLanes(): readonly (readonly Step[])[] {
  return [
    [
      commandStep("lint and format", "biome", ["check", "--error-on-warnings", "."]),
      commandStep("types", "tsc", ["-p", "tsconfig.json"]),
      driftStep(),
    ],
    [vitestStep("unit tests", "unit", unitBudgetMs)],
  ];
}
