import { defineExperiment } from "./support/experiment.ts";
import { type LabFleet, startFleet } from "./support/fleet.ts";
import { leftBehind } from "./support/left-behind.ts";
import { memoryOfTree, type ProcessMemory } from "./support/pss.ts";

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
      name: "first start, until a post is written and read",
      value: (first.bootMs + (await writeAndRead(first))) / 1000,
      unit: "s",
      goal: { atMost: 20 },
    });
    reportSteps(lab.say, first);
    const memory = first.memory();
    lab.figure({ name: "processes", value: memory.length, unit: "" });
    lab.figure({
      name: "memory of the fleet (PSS)",
      value: sumMb(memory),
      unit: "MB",
      goal: { atMost: 1200 },
    });
    const { instances } = await first.status();
    const bars = instances.flatMap(({ name, pid }) =>
      pid === undefined ? [] : [{ name, value: sumMb(memoryOfTree(pid)) }],
    );
    const supervisor = memory.filter(({ pid }) => pid === first.supervisorPid);
    bars.push({ name: "supervisor", value: sumMb(supervisor) });
    lab.plot({
      kind: "bar",
      name: "memory",
      title: "Memory of each instance, with its child processes",
      y: { label: "PSS, MB" },
      bars: bars.sort((a, b) => b.value - a.value),
    });
    lab.figure({ name: "orderly stop", value: (await first.stop()) / 1000, unit: "s" });
    const left = leftBehind(first.dataFolder).length;
    lab.figure({ name: "processes left", value: left, unit: "", goal: { equals: 0 } });

    const again = await startFleet({ dataFolder: first.dataFolder, say: lab.say });
    lab.atEnd(() => again.close());
    lab.figure({
      name: "start on existing data, until a post is written and read",
      value: (again.bootMs + (await writeAndRead(again))) / 1000,
      unit: "s",
      goal: { atMost: 8 },
    });
    reportSteps(lab.say, again);
  },
});

/** Milliseconds until a post was accepted and its author has read it back. */
async function writeAndRead({ gateway }: LabFleet): Promise<number> {
  const began = performance.now();
  const url = `${gateway}/api/v1/posts/1`;
  const written = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ contents: "the first post" }),
  });
  if (written.status !== 201) throw new Error(`not written: ${await written.text()}`);
  const { id } = (await written.json()) as { id: string };
  const page = (await (await fetch(url)).json()) as { posts: readonly { id: string }[] };
  if (page.posts[0]?.id !== id) throw new Error(`the author does not see post ${id}`);
  return performance.now() - began;
}

function sumMb(memory: readonly ProcessMemory[]): number {
  return memory.reduce((sum, { pssMb }) => sum + pssMb, 0);
}

function reportSteps(say: (line: string) => void, { bootSteps }: LabFleet): void {
  for (const { title, atMs } of bootSteps)
    say(`    ${(atMs / 1000).toFixed(1).padStart(5)} s  ${title}`);
}
