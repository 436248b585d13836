import { type EngineName, fetchEngines, findEngine } from "../engines/index.ts";
import type { Step } from "./steps.ts";
import type { SkippedTest } from "./test-counts.ts";

/** Real engines are there, or are fetched; what cannot be had is a skip with its reason. */
export function engineStep(names: readonly EngineName[]): Step {
  return {
    name: "engines",
    async run() {
      const failures = await fetchEngines(names);
      const skipped = [...failures].map(
        ([name, reason]): SkippedTest => ({ name: `engine ${name}`, reason }),
      );
      const passed = names.filter((name) => findEngine(name) !== undefined).length;
      return { passed, failed: 0, skipped, output: "" };
    },
  };
}
