import { defineExperiment } from "../experiment.ts";

/** Stands for an experiment whose claim has become untrue: the runner must exit 1 on it. */
export const experiment = defineExperiment({
  id: "R1",
  title: "a broken claim",
  claim: "two and two is five",
  expectedMinutes: 0.1,
  async run(lab) {
    lab.figure({ name: "two and two", value: 2 + 2, unit: "", goal: { equals: 5 } });
  },
});
