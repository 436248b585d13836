import { parseArgs } from "node:util";

import {
  compositeMap,
  directory,
  directoryClient,
  evenSlotMap,
  modularMap,
  type PartitionKey,
  rangeMap,
  slotAmong,
  slotOf,
} from "tenfold/partitioning";

/**
 * Routed look-ups in a second and thread, by every policy, beside a `Map` that holds each key: what
 * one would have without a placement. The best of some rounds, since other work on the machine only
 * ever makes it slower. `--json` for machines, `--seconds` and `--rounds` for each figure.
 */
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    seconds: { type: "string", default: "0.3" },
    rounds: { type: "string", default: "3" },
  },
});
const roundMs = Number(values.seconds) * 1_000;
const keyCount = 65_536;
const numbers = Array.from({ length: keyCount }, (_, i) => BigInt(i) * 15_485_863n + 1_000_000n);
const texts = numbers.map(String);
const shards = Array.from({ length: 16 }, (_, i) => `posts-${i}`);

const slots = evenSlotMap(shards);
const carried = texts.map((key) => slotOf(key, 8192));
const everyKey = new Map(texts.map((key) => [key, slots.shardOfKey(key)]));
const ranges = (count: number) =>
  rangeMap({
    version: 1,
    rows: Array.from({ length: count }, (_, i) => ({
      start: (BigInt(i) * 2n ** 40n) / BigInt(count),
      end: i + 1 === count ? -1 : (BigInt(i + 1) * 2n ** 40n) / BigInt(count),
      shard: shards[i % shards.length] as string,
    })),
  });
const composite = compositeMap({
  version: 1,
  separator: "/",
  outer: modularMap({ version: 1, by: "value", buckets: ["even", "odd"] }),
  inside: new Map([
    ["even", slots],
    ["odd", evenSlotMap(["odd-0", "odd-1"])],
  ]),
});
const tenants = texts.map((key, i) => `${i % 500}/${key}`);
const all = directory({ base: () => slots });
for (const key of texts.slice(0, 1_000)) {
  all.restore({ key, shard: "posts-0", epoch: 1, state: "active" });
}
const client = directoryClient({ base: () => slots });
client.takeFilter(all.filter());
for (const entry of all.entries()) client.learn(entry);

const lookups: Readonly<Record<string, (index: number) => string | undefined>> = {
  "slots, key as text": of(slots.shardOfKey, texts),
  "slots, key as bigint": of(slots.shardOfKey, numbers),
  "slots, slot carried by an id": (i) => slots.shardOf(slotAmong(carried[i] as number, 8192, 1024)),
  "modular by value, bigint": of(
    modularMap({ version: 1, by: "value", buckets: shards }).shardOfKey,
    numbers,
  ),
  "modular by hash, text": of(
    modularMap({ version: 1, by: "hash", buckets: shards }).shardOfKey,
    texts,
  ),
  "range of 4 rows, bigint": of(ranges(4).shardOfKey, numbers),
  "range of 1,024 rows, bigint": of(ranges(1_024).shardOfKey, numbers),
  "composite of 500 tenants, text": of(composite.shardOfKey, tenants),
  "directory client, 1 of 65 keys moved, text": (i) => client.route(texts[i] as string).shard,
  "baseline: a Map of 65,536 keys, text": (i) => everyKey.get(texts[i] as string),
};

const figures: Record<string, number> = {};
for (const [name, lookup] of Object.entries(lookups)) figures[name] = best(lookup);
if (values.json) {
  console.log(JSON.stringify({ benchmark: "partitioning", unit: "look-ups/s", figures }));
} else {
  for (const [name, perSecond] of Object.entries(figures)) {
    console.log(`  ${name.padEnd(44)} ${(perSecond / 1e6).toFixed(1).padStart(6)} M/s`);
  }
}

function of<Key extends PartitionKey>(
  shardOfKey: (key: PartitionKey) => string,
  keys: readonly Key[],
): (index: number) => string {
  return (index) => shardOfKey(keys[index] as Key);
}

function best(lookup: (index: number) => string | undefined): number {
  let most = 0;
  // The first round only warms up.
  for (let round = 0; round <= Number(values.rounds); round++) {
    const perSecond = rate(lookup);
    if (round > 0) most = Math.max(most, perSecond);
  }
  return Math.round(most);
}

function rate(lookup: (index: number) => string | undefined): number {
  const start = performance.now();
  let count = 0;
  let length = 0;
  let elapsed = 0;
  while (elapsed < roundMs) {
    // So few keys that the processor's cache holds them: the code is measured, not the memory.
    for (let i = 0; i < 4_096; i++) length += (lookup(i) as string).length;
    count += 4_096;
    elapsed = performance.now() - start;
  }
  if (length === 0) throw new Error("nothing was found");
  return (count / elapsed) * 1_000;
}
