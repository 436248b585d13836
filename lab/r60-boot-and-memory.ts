import { defineExperiment } from "./support/experiment.ts";
import { type LabFleet, startFleet } from "./support/fleet.ts";

/** The posts fleet as `npm start` brings it up: how long it takes, and what it needs. */
export const experiment = defineExperiment({
  id: "R60",
  title: "the whole fleet on one machine: start, memory, end",
  claim:
    "A new fleet serves in under 20 s and an old one in under 8 s, in under 1.2 GB, and leaves " +
    "no process behind.",
  expectedMinutes: 1,
  async run(lab) {
    const first = await startFleet({ say: lab.say });
    lab.atEnd(() => first.close());
    lab.figure({
      name: "first start, until a post can be written",
      value: first.bootMs / 1000,
      unit: "s",
      goal: { atMost: 20 },
    });
    reportSteps(lab.say, first);
    const memory = first.memory();
    lab.figure({ name: "processes", value: memory.length, unit: "" });
    lab.figure({
      name: "memory of the fleet (PSS)",
      value: memory.reduce((sum, { pssMb }) => sum + pssMb, 0),
      unit: "MB",
      goal: { atMost: 1200 },
    });
    const status = await first.status();
    const names = new Map(status.instances.map(({ pid, name }) => [pid, name]));
    names.set(first.supervisorPid, "supervisor");
    lab.plot({
      kind: "bar",
      name: "memory",
      title: "Memory of each process of the fleet",
      y: { label: "PSS, MB" },
      bars: memory
        .filter(({ pid }) => names.has(pid))
        .map(({ pid, pssMb }) => ({ name: names.get(pid) ?? "", value: pssMb })),
    });
    const pids = memory.map(({ pid }) => pid);
    lab.figure({ name: "orderly stop", value: (await first.stop()) / 1000, unit: "s" });
    const left = first.memory().filter(({ pid }) => pids.includes(pid)).length;
    lab.figure({ name: "processes left", value: left, unit: "", goal: { equals: 0 } });

    const again = await startFleet({ dataFolder: first.dataFolder, say: lab.say });
    lab.atEnd(() => again.close());
    lab.figure({
      name: "start on existing data",
      value: again.bootMs / 1000,
      unit: "s",
      goal: { atMost: 8 },
    });
    reportSteps(lab.say, again);
  },
});

function reportSteps(say: (line: string) => void, { bootSteps }: LabFleet): void {
  for (const { title, atMs } of bootSteps)
    say(`    ${(atMs / 1000).toFixed(1).padStart(5)} s  ${title}`);
}
