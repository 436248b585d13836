import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Snowflake as Sapphire } from "@sapphire/snowflake";
import {
  createBlockIds,
  decodeIdBlock,
  instagramLayout,
  layoutTable,
  objectIdRow,
  shardedLayout,
  simpleKeyLayout,
  simpleKeyWorkerLayout,
  snowflake,
  snowflakeLayout,
} from "tenfold/identifiers";

import { defineExperiment, type Lab } from "./support/experiment.ts";
import { startFleet } from "./support/fleet.ts";
import { fakeClockLibrary } from "./support/ids/fake-clock.ts";
import { makeHostileIds } from "./support/ids/hostile-ids.ts";

const wantedIds = { usually: 10_000_000, full: 100_000_000 };
const processes = 8;

export const experiment = defineExperiment({
  id: "R33",
  title: "ids that no clock can break",
  claim:
    "8 processes that are stopped, killed and robbed of their worker numbers, while their clocks " +
    "step by an hour and run at double speed, make 10^7 ids (10^8 with --full): none twice, " +
    "those of a worker in order; and the guid service hands out more than 500,000 a second in " +
    "blocks over HTTP.",
  expectedMinutes: 2,
  async run(lab) {
    lab.say(layoutTable(layouts).replace(/^/gm, "    ").trimEnd());
    const leastIds = lab.full ? wantedIds.full : wantedIds.usually;
    const ours = await underFire(lab, "leased", leastIds);
    const plain = await underFire(lab, "plain", wantedIds.usually / 10);
    const peers = peersAlone(lab);
    lab.plot({
      kind: "bar",
      name: "duplicates",
      title: "Ids that were made twice",
      y: { label: "of a million" },
      bars: [
        { name: "ours, 8 hostile processes", value: ours },
        { name: "a number each, and the wall clock", value: plain },
        ...peers,
      ],
    });
    await throughBlocks(lab);
  },
});

const layouts = [
  snowflakeLayout(),
  instagramLayout,
  simpleKeyLayout,
  simpleKeyWorkerLayout,
  shardedLayout(),
  objectIdRow,
];

/** Duplicates of a million. */
async function underFire(lab: Lab, kind: "leased" | "plain", leastIds: number): Promise<number> {
  const fakeClock = fakeClockLibrary();
  if (fakeClock === undefined) throw new Error("libfaketime is missing: `npm test` fetches it");
  const folder = mkdtempSync(join(tmpdir(), "tenfold-r33-"));
  lab.atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const seed = String(Date.now());
  lab.say(`  ${kind}: seed ${seed}`);
  const made = await makeHostileIds({
    folder,
    fakeClock,
    seed,
    kind: kind === "plain" ? "plain" : "coordinator",
    processes,
    burst: 20_000,
    pauseMs: 1,
    signal: lab.signal,
    enough: ({ ids, seconds, duplicates }) =>
      ids >= leastIds && (kind === "leased" || duplicates > 0 || seconds > 60),
  });
  const share = (made.duplicates * 1_000_000) / made.ids;
  if (kind === "plain") {
    lab.figure({
      name: "ids made twice by a number each and the wall clock, of a million",
      value: share,
      unit: "",
    });
    return share;
  }
  lab.signal.throwIfAborted();
  const { hostilities, leaps, ids, seconds, duplicates, outOfOrder, interleaved, logs } = made;
  const none = { unit: "", goal: { equals: 0 } } as const;
  lab.figure({ name: "ids made", value: ids, unit: "", goal: { atLeast: leastIds } });
  lab.figure({ name: "made twice", value: duplicates, ...none });
  lab.figure({ name: "not in the order of their maker", value: outOfOrder, ...none });
  lab.figure({ name: "workers whose makers interleave", value: interleaved, ...none });
  lab.figure({ name: "times that a number was claimed", value: logs, unit: "" });
  for (const [name, value] of Object.entries(hostilities)) {
    lab.figure({ name: `hostility: ${name}`, value, unit: "", goal: { atLeast: 1 } });
  }
  for (const [way, value] of Object.entries(leaps)) {
    const name = `clocks seen to leap an hour ${way}`;
    lab.figure({ name, value, unit: "", goal: { atLeast: 1 } });
  }
  lab.figure({ name: "ids a second, all processes", value: ids / seconds, unit: "ids/s" });
  return share;
}

interface NodejsSnowflake {
  getUniqueID(): bigint;
}
const { Snowflake: WasmSnowflake } = createRequire(import.meta.url)("nodejs-snowflake") as {
  Snowflake: new (options: object) => NodejsSnowflake;
};

/** One process and no hostility but a clock that steps back by a millisecond. */
function peersAlone(lab: Lab): { name: string; value: number }[] {
  const sapphire = new Sapphire(0);
  const wasm = new WasmSnowflake({ custom_epoch: 1, instance_id: 1 });
  const ours = snowflake({ worker: 1 });
  const makers = {
    "ours, alone": () => ours.next(Date.now()),
    "@sapphire/snowflake, alone": () => sapphire.generate(),
    "nodejs-snowflake, alone, a step back of 1 ms": () => wasm.getUniqueID(),
  };
  return Object.entries(makers).map(([name, make]) => {
    const value = name.startsWith("nodejs") ? aroundStep(make) : ofMillion(make);
    const goal = name.startsWith("ours") ? { goal: { equals: 0 } } : {};
    lab.figure({ name: `made twice of a million: ${name}`, value, unit: "", ...goal });
    return { name, value };
  });
}

function ofMillion(make: () => bigint): number {
  const seen = new Set<bigint>();
  for (let id = 0; id < 1_000_000; id++) seen.add(make());
  return 1_000_000 - seen.size;
}

/** 100 ids in one millisecond, the next millisecond, and the first one again. */
function aroundStep(make: () => bigint): number {
  const realNow = Date.now;
  const ids: bigint[] = [];
  const start = realNow() + 10_000;
  try {
    for (const [ms, count] of [
      [0, 101],
      [1, 1],
      [0, 101],
    ] as const) {
      Date.now = () => start + ms;
      for (let id = 0; id < count; id++) ids.push(make());
    }
  } finally {
    Date.now = realNow;
  }
  return ((ids.length - new Set(ids).size) * 1_000_000) / ids.length;
}

/** Ids of a running fleet, in blocks through its gateway. */
async function throughBlocks(lab: Lab): Promise<void> {
  const fleet = await startFleet({ say: lab.say });
  lab.atEnd(() => fleet.close());
  await using ids = createBlockIds({
    size: 65_536,
    async fetch(size, { signal }) {
      const answer = await fetch(`${fleet.gateway}/api/v1/guid/blocks?size=${size}`, { signal });
      if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
      return decodeIdBlock(await answer.json());
    },
  });
  await ids.next();
  const began = performance.now();
  let made = 0;
  for (; performance.now() - began < 3_000; made++) if (ids.take() === undefined) await ids.next();
  lab.figure({
    name: "ids a second from the guid service, one client, in blocks over HTTP",
    value: (made * 1_000) / (performance.now() - began),
    unit: "ids/s",
    goal: { atLeast: 500_000 },
  });
}
