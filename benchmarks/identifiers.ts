import * as crypto from "node:crypto";
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";

import { Snowflake as Sapphire } from "@sapphire/snowflake";
import {
  type IdGenerator,
  objectIds,
  shardedIdGenerator,
  shardedLayout,
  snowflake,
} from "tenfold/identifiers";
import { systemRandom } from "tenfold/runtime";
import { uuidv7 } from "uuidv7";

/**
 * Ids a second on one thread, beside the packages people use. Each reads the clock for every id, as
 * they do, and once more without, which is what the generator itself costs: on some machines the
 * clock is most of it. CPU time of this process, the median of rounds. `--json`, `--ids` a round.
 */
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    ids: { type: "string", default: "400000" },
    rounds: { type: "string", default: "7" },
  },
});
const idsPerRound = Number(values.ids);
const rounds = Number(values.rounds);

interface NodejsSnowflake {
  getUniqueID(): bigint;
}
const { Snowflake: WasmSnowflake } = createRequire(import.meta.url)("nodejs-snowflake") as {
  Snowflake: new (options: object) => NodejsSnowflake;
};
/** In Node since 24.16; a peer that is not there is left out. */
const { randomUUIDv7 } = crypto as { randomUUIDv7?: () => string };

// May borrow days ahead, so that the generator is measured and not the width of its sequence.
const ours = (): IdGenerator => snowflake({ worker: 1, aheadMsMax: 1e9 });
const sharded = shardedIdGenerator(shardedLayout(), { fields: { worker: 1 }, aheadMsMax: 1e9 });
const sapphire = new Sapphire(1_767_225_600_000);
const wasm = new WasmSnowflake({ custom_epoch: 1_767_225_600_000, instance_id: 1 });
const objects = objectIds({ random: systemRandom });

const bigints = ours();
const decimals = ours();
const shorts = ours();
let slot = 0;
const makers: Readonly<Record<string, (wallMs: () => number) => unknown>> = {
  "tenfold bigint": (wallMs) => bigints.next(wallMs()),
  "tenfold decimal": (wallMs) => decimals.nextDecimal(wallMs()),
  "tenfold base32": (wallMs) => shorts.nextShort(wallMs()),
  "tenfold sharded": (wallMs) => {
    slot = (slot + 1) & 8_191;
    return sharded.next(slot, wallMs());
  },
  "tenfold object id": (wallMs) => objects.next(wallMs()),
  "@sapphire/snowflake": () => sapphire.generate(),
  "nodejs-snowflake": () => wasm.getUniqueID(),
  uuidv7: () => uuidv7(),
  "crypto.randomUUID": () => randomUUID(),
  ...(randomUUIDv7 && { "crypto.randomUUIDv7": () => randomUUIDv7() }),
};
const baseline = "@sapphire/snowflake";

const fixedMs = Date.now();
const clocks = { "clock read for each": () => Date.now(), "clock apart": () => fixedMs };
const taken = new Map<string, number[]>();
for (let round = 0; round < rounds; round++) {
  for (const [name, make] of Object.entries(makers)) {
    for (const [clock, wallMs] of Object.entries(clocks)) {
      if (clock === "clock apart" && !name.startsWith("tenfold")) continue;
      const key = `${name}|${clock}`;
      taken.set(key, [...(taken.get(key) ?? []), secondsOf(() => make(wallMs))]);
    }
  }
}

const rate = (name: string, clock: string): number => {
  const sorted = (taken.get(`${name}|${clock}`) ?? []).sort((a, b) => a - b);
  return idsPerRound / (sorted[Math.floor(sorted.length / 2)] as number);
};
const rows = Object.keys(makers).map((name) => {
  const each = rate(name, "clock read for each");
  const apart = rate(name, "clock apart");
  return {
    name,
    "M ids/s": million(each),
    [`x ${baseline}`]: Math.round((each / rate(baseline, "clock read for each")) * 100) / 100,
    "M ids/s, clock apart": Number.isNaN(apart) ? undefined : million(apart),
  };
});
if (values.json) console.log(JSON.stringify(rows));
else console.table(rows);

function million(perSecond: number): number {
  return Math.round(perSecond / 10_000) / 100;
}

function secondsOf(make: () => unknown): number {
  let kept: unknown;
  const before = process.cpuUsage();
  for (let id = 0; id < idsPerRound; id++) kept = make();
  const { user, system } = process.cpuUsage(before);
  if (kept === undefined) throw new Error("made nothing");
  return (user + system) / 1_000_000;
}
