import { defineSettings } from "tenfold/flags";

/** What the experiment changes: each round is one more. */
export const labSettings = defineSettings({
  "lab.round": {
    kind: "number",
    default: 0,
    min: 0,
    max: 1_000_000,
    description: "The round of the experiment.",
  },
});
