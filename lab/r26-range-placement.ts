import { snowflake } from "tenfold/identifiers";
import {
  encodePlacement,
  evenSlotMap,
  heldPlacement,
  type KeyMap,
  keyOrder,
  placementOf,
  type RangeMap,
  type RangeRow,
  rangeMap,
  reversedBits,
  splitRange,
} from "tenfold/partitioning";
import { isTenfoldError, seededRandom } from "tenfold/runtime";

import { defineExperiment, type Lab } from "./support/experiment.ts";

const newRows = 100_000;
const row = (start: number | bigint, end: number | bigint, shard: string): RangeRow => ({
  start,
  end,
  shard,
});
const written = [
  row(0, 1000, "users-1"),
  row(1000, 2000, "users-2"),
  row(2000, 3500, "users-3"),
  row(3500, -1, "users-4"),
];
const badTables: Readonly<Record<string, readonly RangeRow[]>> = {
  "a gap": [row(0, 1000, "a"), row(1001, -1, "b")],
  "an overlap": [row(0, 1000, "a"), row(999, -1, "b")],
  "an inverted row": [row(1000, 0, "a"), row(1000, -1, "b")],
  "an empty row": [row(0, 0, "a"), row(0, -1, "b")],
  "two open ends": [row(0, -1, "a"), row(1000, -1, "b")],
  "an open end in the middle": [row(0, -1, "a"), row(1000, 2000, "b")],
  "no open end": [row(0, 1000, "a"), row(1000, 2000, "b")],
  "rows in disorder": [row(1000, 2000, "a"), row(0, 1000, "b"), row(2000, -1, "c")],
  "an end of -7": [row(0, 1000, "a"), row(1000, -7, "b")],
  "a start below 0": [row(-5, 1000, "a"), row(1000, -1, "b")],
  "a bound with a fraction": [row(0, 0.5, "a"), row(0.5, -1, "b")],
  "a row without a shard": [row(0, -1, "")],
  "no rows": [],
};

/** Range tables: what they refuse, how one grows while in use, and which keys make them useless. */
export const experiment = defineExperiment({
  id: "R26",
  title: "placement by range",
  claim:
    "Invalid tables never take effect, a range is added while look-ups go on, and keys in order " +
    "of time, which put every new row on one shard, are told.",
  expectedMinutes: 0.1,
  run(lab) {
    writtenTable(lab);
    refusals(lab);
    grows(lab);
    skew(lab);
    return Promise.resolve();
  },
});

function writtenTable({ figure }: Lab): void {
  const map = rangeMap({ version: 1, rows: written });
  let wrong = 0;
  for (let key = 0; key < 10_000; key++) {
    const expected = written.find(({ end }) => end === -1 || key < Number(end))?.shard;
    if (map.shardOfKey(BigInt(key)) !== expected) wrong += 1;
  }
  figure({
    name: "keys misplaced by the table as written",
    value: wrong,
    unit: "",
    goal: { equals: 0 },
  });
  const outside = [-1n, -1000n].filter((key) => refused(() => map.shardOfKey(key)));
  figure({
    name: "of 2 negative keys, refused",
    value: outside.length,
    unit: "",
    goal: { equals: 2 },
  });
}

function refusals({ figure, say }: Lab): void {
  const held = heldPlacement(placementOf);
  const good = held.take(encodePlacement(rangeMap({ version: 1, rows: written })));
  const names = Object.keys(badTables);
  const taken = names.filter((name) => {
    const json = JSON.stringify(
      { format: 1, kind: "range", version: 2, rows: badTables[name] },
      (_key, value: unknown) => (typeof value === "bigint" ? value.toString() : value),
    );
    return !refused(() => held.take(json)) || held.current !== good;
  });
  for (const name of taken) say(`  took ${name}`);
  figure({
    name: `of ${names.length} invalid tables, those that took effect`,
    value: taken.length,
    unit: "",
    goal: { equals: 0 },
  });
}

/** Two servers that hear of each table at different moments, look-ups going on at both. */
function grows({ figure }: Lab): void {
  const random = seededRandom("r26");
  const servers = [heldPlacement(placementOf), heldPlacement(placementOf)];
  let table: RangeMap = rangeMap({ version: 1, rows: written });
  for (const server of servers) server.take(encodePlacement(table));
  let unanswered = 0;
  let moved = 0;
  const lookUp = (times: number): void => {
    for (let i = 0; i < times; i++) {
      const key = BigInt(random.below(5_000));
      for (const { current } of servers) {
        if (refused(() => current?.shardOfKey(key))) unanswered += 1;
      }
    }
  };
  for (const [added, at] of [5_000n, 10_000n, 20_000n].entries()) {
    const before = table;
    table = splitRange(table, at, `users-${added + 5}`);
    for (const server of servers) {
      lookUp(10_000);
      server.take(encodePlacement(table));
    }
    for (let key = 0n; key < 5_000n; key++) {
      if (before.shardOfKey(key) !== table.shardOfKey(key)) moved += 1;
    }
  }
  lookUp(10_000);
  figure({
    name: "shards after adding three live",
    value: table.shards.length,
    unit: "",
    goal: { equals: 7 },
  });
  figure({
    name: "look-ups without an answer meanwhile",
    value: unanswered,
    unit: "",
    goal: { equals: 0 },
  });
  figure({ name: "existing users that had to move", value: moved, unit: "", goal: { equals: 0 } });
}

function skew({ figure, plot }: Lab): void {
  const ids = snowflake({ worker: 1 });
  const start = Date.UTC(2026, 0, 1);
  const day = 24 * 60 * 60 * 1000;
  const random = seededRandom("r26/skew");
  // At no round times: once reversed, bits of the time that never change would lead all keys.
  const madeAt = Array.from({ length: 4_000 }, () => start + random.below(4 * day));
  const made = madeAt.sort((a, b) => a - b).map((ms) => ids.next(ms));
  const fresh = Array.from({ length: newRows }, (_, i) => ids.next(start + 4 * day + i));
  const byTime = quarters(made);
  const byReversed = quarters(made.map(reversedBits));
  const slots = evenSlotMap(byTime.shards);
  const shares = {
    "ids in order of time": busiest(byTime, fresh),
    "their bits reversed": busiest(byReversed, fresh.map(reversedBits)),
    "the same ids by slots": busiest(slots, fresh),
  };
  const goals = [{ atLeast: 99.9 }, { atMost: 30 }, { atMost: 27 }];
  for (const [at, [name, share]] of Object.entries(shares).entries()) {
    const goal = goals[at] as (typeof goals)[number];
    figure({ name: `busiest of 4 shards, ${name}`, value: share, unit: "%", goal });
  }
  const order = keyOrder();
  const until = fresh.findIndex((id) => {
    order.note(id);
    return order.timeOrdered;
  });
  figure({
    name: "keys until the order of time is told",
    value: until + 1,
    unit: "",
    goal: { atMost: 4_096 },
  });
  const reversed = keyOrder();
  for (const id of fresh) reversed.note(reversedBits(id));
  figure({
    name: "false alarms with reversed bits",
    value: Number(reversed.timeOrdered),
    unit: "",
    goal: { equals: 0 },
  });
  plot({
    kind: "bar",
    name: "skew",
    title: "Share of new rows on the busiest of four shards",
    y: { label: "percent; 25 would be even" },
    bars: Object.entries(shares).map(([name, value]) => ({ name, value })),
  });
}

/** Four ranges that hold a quarter each of the rows so far. */
function quarters(keys: readonly bigint[]): RangeMap {
  const sorted = keys.toSorted((a, b) => (a < b ? -1 : 1));
  const cut = (quarter: number): bigint => sorted[(quarter * sorted.length) >> 2] as bigint;
  const starts = [0n, cut(1), cut(2), cut(3)];
  return rangeMap({
    version: 1,
    rows: starts.map((start, i) => row(start, starts[i + 1] ?? -1, `shard-${i}`)),
  });
}

function busiest(map: KeyMap, keys: readonly bigint[]): number {
  const counts = new Map<string, number>();
  for (const key of keys) {
    const shard = map.shardOfKey(key);
    counts.set(shard, (counts.get(shard) ?? 0) + 1);
  }
  return (Math.max(...counts.values()) / keys.length) * 100;
}

function refused(act: () => unknown): boolean {
  try {
    act();
    return false;
  } catch (error) {
    if (isTenfoldError(error)) return true;
    throw error;
  }
}
