// `npm test`: all that `npm run check` proves, then real processes, real engines, the examples.
import { checkLanes } from "./proof/check-steps.ts";
import { engineStep } from "./proof/engine-step.ts";
import { exampleStep } from "./proof/example-step.ts";
import { conclude, prepare, runSteps } from "./proof/steps.ts";
import { commandStep, vitestStep } from "./proof/suites.ts";
import { addCounts } from "./proof/test-counts.ts";

/** Ends a run that hangs. On two quiet cores it takes under 180 s. */
const processBudgetMs = 1_800_000;

prepare();
const fast = await runSteps(checkLanes());
const slow = await runSteps([
  [
    engineStep(["etcd", "faketime", "haproxy", "nginx", "redis"]),
    vitestStep("process tests", "process", processBudgetMs),
    exampleStep(),
    commandStep("package", "publint", ["packages/tenfold", "--strict", "--pack", "npm"]),
  ],
]);
conclude(addCounts([fast, slow]));
