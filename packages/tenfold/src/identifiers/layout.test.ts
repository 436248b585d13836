import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { idGenerator } from "./id-generator.ts";
import {
  instagramLayout,
  shardedIdSlots,
  shardedLayout,
  simpleKeyLayout,
  simpleKeyWorkerLayout,
  snowflakeLayout,
} from "./known-layouts.ts";
import { type IdLayout, idLayout } from "./layout.ts";
import { layoutTable } from "./layout-table.ts";
import { objectIdRow } from "./object-id.ts";

const withCode = (code: string) => expect.objectContaining({ code });

describe("published ids", () => {
  test("Instagram's worked example", () => {
    const id = instagramLayout.encode({
      timeMs: instagramLayout.epochMs + 1_387_263_000,
      shard: 1341,
      sequence: 5001 % 1024,
    });
    expect(id).toBe(11637205501278089n);
    expect(instagramLayout.decode(id)).toEqual({
      timeMs: 1_314_220_021_721 + 1_387_263_000,
      shard: 1341,
      sequence: 905,
    });
  });

  test("the simple key counts seconds and is exact as a number", () => {
    const id = 6_209_324_585_984n;
    expect(simpleKeyLayout.decode(id)).toEqual({
      timeMs: Date.parse("2018-01-14T16:46:25Z"),
      sequence: 1024,
    });
    expect(BigInt(Number(id))).toBe(id);
    const { lowBits, epochMs, unitMs } = simpleKeyLayout;
    const year = new Date(epochMs + 2 ** (53 - lowBits) * unitMs).toISOString();
    expect(year).toMatch(/^\+071654/);
  });
});

describe("a layout is checked where it is declared", () => {
  const declare = (bits: Record<string, number>) => () =>
    idLayout({ name: "own", epochMs: 0, bits: bits as { time: number; sequence: number } });

  test.each<[string, Record<string, number>]>([
    ["64 bits", { time: 42, worker: 10, sequence: 12 }],
    ["time is not first", { worker: 10, time: 41, sequence: 12 }],
    ["sequence is not last", { time: 41, sequence: 12, worker: 10 }],
    ["no time", { worker: 10, sequence: 12 }],
    ["no sequence", { time: 41 }],
    ["a field of no bits", { time: 41, worker: 0, sequence: 12 }],
    ["half a bit", { time: 41, worker: 1.5, sequence: 12 }],
    ["negative", { time: 41, worker: -3, sequence: 12 }],
    ["not a number", { time: 41, worker: Number.NaN, sequence: 12 }],
    ["too little time", { time: 9, sequence: 12 }],
    ["a number for a name", { 7: 10, time: 41, sequence: 12 }],
  ])("%s", (_, bits) => {
    expect(declare(bits)).toThrow(withCode("TENFOLD_IDENTIFIERS_LAYOUT_INVALID"));
  });

  test("the refusal says what was declared", () => {
    expect(declare({ time: 42, worker: 10, sequence: 12 })).toThrow(
      'The layout "own" has 64 bits, 63 are the most: time 42 + worker 10 + sequence 12.',
    );
  });

  test.each([{ epochMs: -1 }, { epochMs: 0.5 }, { unitMs: 0 }, { unitMs: 86_400_001 }])(
    "%j",
    (options) => {
      const bits = { time: 41, sequence: 12 };
      expect(() => idLayout({ name: "own", epochMs: 0, ...options, bits })).toThrow(
        withCode("TENFOLD_OPTION_INVALID"),
      );
    },
  );
});

test("the table of the known layouts", () => {
  const layouts = [
    snowflakeLayout(),
    instagramLayout,
    simpleKeyLayout,
    simpleKeyWorkerLayout,
    shardedLayout(),
    objectIdRow,
  ];
  const rows = layoutTable(layouts).trimEnd().split("\n");
  expect(rows.map((row) => row.replace(/ {2,}/g, " | "))).toEqual([
    "layout | bits | from | until | ids/s | makers | exact as number until",
    "snowflake | time 41 · worker 10 · sequence 12 | 2010-11-04 | 2080-07-10 | 4,096,000 | 1,024 | 2010-11-28",
    "instagram | time 40 · shard 13 · sequence 10 | 2011-08-24 | 2046-06-27 | 1,024,000 | 8,192 | 2011-09-06",
    "simple key | time 51 · sequence 12 | 1970-01-01 | +275760-09-13 | 4,096 | 1 | +071654-04-10",
    "simple key, workers | time 51 · worker 4 · sequence 8 | 1970-01-01 | +275760-09-13 | 256 | 16 | +071654-04-10",
    "sharded | time 41 · slot 13 · worker 6 · sequence 3 | 2026-01-01 | 2095-09-07 | 8,000 | 524,288 | 2026-01-25",
    "object id | time 32 · machine 24 · process 16 · counter 24 | 1970-01-01 | 2106-02-07 | 16,777,216 | 1,099,511,627,776 | never",
  ]);
  expect(new Set(rows.map((row) => row.indexOf(row.split(/ {2,}/)[1] as string))).size).toBe(1);
});

const anyLayout: fc.Arbitrary<IdLayout> = fc
  .record({
    time: fc.integer({ min: 10, max: 51 }),
    middle: fc.array(fc.integer({ min: 1, max: 16 }), { maxLength: 3 }),
    sequence: fc.integer({ min: 1, max: 16 }),
    epochMs: fc.integer({ min: 0, max: 2 ** 42 }),
    unitMs: fc.constantFrom(1, 10, 1_000),
  })
  .filter(({ time, middle, sequence }) => middle.reduce((a, b) => a + b, time + sequence) <= 63)
  .map(({ time, middle, sequence, epochMs, unitMs }) => {
    const between = Object.fromEntries(middle.map((bits, index) => [`field${index}`, bits]));
    return idLayout({ name: "any", epochMs, unitMs, bits: { time, ...between, sequence } });
  });

test("what is encoded is decoded, in any layout, and ids sort by time", () => {
  fc.assert(
    fc.property(anyLayout, fc.infiniteStream(fc.nat({ max: 2 ** 30 })), (layout, draws) => {
      const draw = () => draws.next().value as number;
      const made = () => {
        const ticks = Math.floor((layout.endMs - layout.epochMs) / layout.unitMs);
        const timeMs = layout.epochMs + (draw() % (ticks + 1)) * layout.unitMs;
        const low = layout.fields.slice(1).map(({ name, max }) => [name, draw() % (max + 1)]);
        return { timeMs, ...Object.fromEntries(low) } as { timeMs: number; sequence: number };
      };
      const [a, b] = [made(), made()];
      const [idA, idB] = [layout.encode(a), layout.encode(b)];
      expect(layout.decode(idA)).toEqual(a);
      expect(idA < 2n ** 63n).toBe(true);
      if (a.timeMs < b.timeMs) expect(idA < idB).toBe(true);
      expect(layout.firstIdAt(a.timeMs) <= idA && idA <= layout.lastIdAt(a.timeMs)).toBe(true);
    }),
  );
});

describe("bad input", () => {
  const layout = snowflakeLayout();
  test.each([-1n, 2n ** 63n, 2n ** 64n, 5, "5", null, undefined])("no id: %s", (id) => {
    expect(() => layout.decode(id as bigint)).toThrow(withCode("TENFOLD_IDENTIFIERS_ID_INVALID"));
  });

  test("an id that has more bits than its layout", () => {
    const narrow = idLayout({ name: "narrow", epochMs: 0, bits: { time: 32, sequence: 10 } });
    expect(() => narrow.decode(2n ** 42n)).toThrow(withCode("TENFOLD_IDENTIFIERS_ID_INVALID"));
    expect(narrow.decode(2n ** 42n - 1n)).toEqual({ timeMs: 2 ** 32 - 1, sequence: 1023 });
  });

  test("an id from the future", () => {
    const nowMs = Date.UTC(2026, 0, 1);
    const soon = layout.encode({ timeMs: nowMs + 10_001, worker: 1, sequence: 0 });
    const allowed = { notAfterMs: nowMs + 10_000 };
    expect(() => layout.decode(soon, allowed)).toThrow(
      expect.objectContaining({
        code: "TENFOLD_IDENTIFIERS_ID_FROM_FUTURE",
        details: expect.objectContaining({ id: soon.toString() }),
      }),
    );
    expect(layout.decode(soon).timeMs).toBe(nowMs + 10_001);
  });

  test("a field that is left out, or too large", () => {
    const invalid = withCode("TENFOLD_OPTION_INVALID");
    expect(() => idGenerator(layout)).toThrow(invalid);
    expect(() => idGenerator(layout, { fields: { worker: 1024 } })).toThrow(invalid);
    expect(() => layout.encode({ timeMs: layout.epochMs, worker: 1, sequence: 4096 })).toThrow(
      invalid,
    );
  });

  test("the end of a unit's range", () => {
    const seconds = idLayout({
      name: "seconds",
      epochMs: 0,
      unitMs: 1_000,
      bits: { time: 10, sequence: 1 },
    });
    expect(seconds.endMs).toBe(1_023_999);
    const ids = idGenerator(seconds, { aheadMsMax: 5_000 });
    ids.next(1_023_000);
    ids.next(1_023_500);
    const outOfRange = withCode("TENFOLD_IDENTIFIERS_TIME_OUT_OF_RANGE");
    expect(() => ids.next(1_023_999)).toThrow(outOfRange);
    expect(() => ids.next(1_024_000)).toThrow(outOfRange);
    expect(() => seconds.firstIdAt(1_024_000)).toThrow(outOfRange);
  });
});

test("13 bits of slot hold every slot that a placement can double to", () => {
  const slot = shardedLayout().fields.find(({ name }) => name === "slot");
  expect(slot?.max).toBe(shardedIdSlots - 1);
});
