import { defineExperiment } from "../experiment.ts";

/** Stands for an experiment whose claim holds: the runner must exit 0 on it. */
export const experiment = defineExperiment({
  id: "R2",
  title: "a sound claim",
  claim: "two and two is four",
  expectedMinutes: 0.1,
  async run(lab) {
    lab.figure({ name: "two and two", value: 2 + 2, unit: "", goal: { equals: 4 } });
  },
});
