import { drift, generatedTexts } from "../generated/generated-texts.ts";
import type { Step } from "./steps.ts";
import { oneCheck } from "./test-counts.ts";

/** The committed API text, reference pages and examples in the README are what the sources say. */
export function driftStep(): Step {
  return {
    name: "generated texts",
    async run() {
      const stale = drift(await generatedTexts());
      const output = `Out of date: ${stale.join(", ")}. Run \`npm run update\` and read the diff.`;
      return { ...oneCheck(stale.length === 0), output };
    },
  };
}
