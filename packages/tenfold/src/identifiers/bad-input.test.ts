import { expect, test } from "vitest";

import { seededRandom } from "../runtime/random.ts";
import { decodeIdBlock } from "./id-block.ts";
import { formatId, parseId } from "./id-codec.ts";
import { idGenerator } from "./id-generator.ts";
import { idJson } from "./id-json.ts";
import { shardedLayout, snowflakeLayout } from "./known-layouts.ts";
import { idLayout } from "./layout.ts";
import { decodeObjectId, objectIds } from "./object-id.ts";
import { shardedIdGenerator } from "./sharded-ids.ts";
import { formatShortId, parseShortId } from "./short-id.ts";
import { decodeSnowflake, snowflake } from "./snowflake.ts";
import { parseWorkerRecord } from "./worker-record-json.ts";

const layout = snowflakeLayout();
const nowMs = Date.UTC(2026, 0, 1);
const own = (bits: object) => () =>
  idLayout({ name: "own", epochMs: 0, bits: bits as { time: number; sequence: number } });
const sharded = shardedIdGenerator(shardedLayout(), { fields: { worker: 0 } });
const later = layout.encode({ timeMs: nowMs + 1, worker: 1, sequence: 0 });

/** What is refused, by which code, and what of it the message shows. */
const refused: readonly [what: string, call: () => unknown, code: string, shown: string][] = [
  [
    "64 bits",
    own({ time: 42, worker: 10, sequence: 12 }),
    "LAYOUT_INVALID",
    "has 64 bits, 63 are the most: time 42 + worker 10 + sequence 12",
  ],
  ["no bits", own({ time: 41, worker: 0, sequence: 12 }), "LAYOUT_INVALID", "worker 0 bits"],
  [
    "no number of bits",
    own({ time: 41, worker: Number.NaN, sequence: 12 }),
    "LAYOUT_INVALID",
    "worker NaN bits",
  ],
  ["no sequence", own({ time: 41, worker: 5 }), "LAYOUT_INVALID", "time 41 + worker 5"],
  [
    "an id from the future",
    () => layout.decode(later, { notAfterMs: nowMs }),
    "ID_FROM_FUTURE",
    `${later} carries the time ${nowMs + 1}, which is later than ${nowMs}`,
  ],
  ["a negative id", () => decodeSnowflake(-1n), "ID_INVALID", "got bigint -1"],
  ["over 63 bits", () => decodeSnowflake(2n ** 63n), "ID_INVALID", `got bigint ${2n ** 63n}`],
  ["a number", () => layout.decode(5 as never), "ID_INVALID", "got number 5"],
  ["not a number", () => layout.decode(Number.NaN as never), "ID_INVALID", "got number NaN"],
  ["nothing", () => layout.decode(undefined as never), "ID_INVALID", "got undefined"],
  ["text that is no id", () => parseId("12x", "user"), "ID_INVALID", "user must be"],
  ["text that is no id", () => parseId("12x"), "ID_INVALID", 'got "12x"'],
  ["a sign", () => parseId("-7"), "ID_INVALID", 'got "-7"'],
  ["a negative one, printed", () => formatId(-7n), "ID_INVALID", "got bigint -7"],
  ["a negative one, printed short", () => formatShortId(-7n), "ID_INVALID", "got bigint -7"],
  ["a short one of 65 bits", () => parseShortId("zzzzzzzzzzzzz"), "ID_INVALID", 'got "zzzzz'],
  ["JSON's -1", () => idJson({ ids: ["id"] }).parse('{"id":-1}'), "ID_INVALID", "number -1"],
  ["no ObjectID", () => decodeObjectId("xyz"), "ID_INVALID", 'got "xyz"'],
  ["a block of none", () => decodeIdBlock({ runs: [] }), "BLOCK_INVALID", '{"runs":[]}'],
  ["no record", () => parseWorkerRecord("{}", "7.json"), "RECORD_INVALID", "7.json"],
  ["before the epoch", () => layout.firstIdAt(-1), "TIME_OUT_OF_RANGE", "got -1"],
  ["no time", () => snowflake({ worker: 1 }).next(Number.NaN), "TIME_OUT_OF_RANGE", "got NaN"],
  [
    "after the end",
    () => objectIds({ random: seededRandom("end") }).next(2 ** 32 * 1_000),
    "TIME_OUT_OF_RANGE",
    "got 4294967296000",
  ],
  ["ahead of the bound", () => snowflake({ worker: 1 }).next(nowMs, nowMs), "AHEAD", "in 1 ms"],
];

test.each(refused)("%s", (_what, call, code, shown) => {
  expect(call).toThrow(
    expect.objectContaining({
      code: `TENFOLD_IDENTIFIERS_${code}`,
      message: expect.stringContaining(shown),
    }),
  );
});

test.each<[string, () => unknown, string]>([
  ["a worker of 11 bits", () => snowflake({ worker: 1_024 }), "worker must be a whole number"],
  ["a worker of 11 bits", () => snowflake({ worker: 1_024 }), "got 1024"],
  ["no worker", () => idGenerator(layout), "got undefined"],
  ["a slot beyond the last", () => sharded.next(8_192, nowMs), "got 8192"],
  ["half a slot", () => sharded.next(0.5, nowMs), "got 0.5"],
  ["a field too large", () => layout.encode({ timeMs: nowMs, worker: 1, sequence: 4_096 }), "4096"],
  ["no count", () => snowflake({ worker: 1 }).take(Number.NaN, nowMs), "got NaN"],
])("an option: %s", (_what, call, shown) => {
  expect(call).toThrow(
    expect.objectContaining({
      code: "TENFOLD_OPTION_INVALID",
      message: expect.stringContaining(shown),
    }),
  );
});
