import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { snowflakeLayout, twitterEpochMs } from "./known-layouts.ts";
import { idGeneratorDefaults } from "./next-tick.ts";
import { decodeSnowflake, snowflake } from "./snowflake.ts";

const { firstIdAt, lastIdAt } = snowflakeLayout();

const start = Date.UTC(2026, 0, 1);
const withCode = (code: string) => expect.objectContaining({ code });

describe("published ids", () => {
  test("Twitter, 2022", () => {
    expect(decodeSnowflake(1541815603606036480n)).toEqual({
      timeMs: Date.parse("2022-06-28T16:07:40.105Z"),
      worker: 378,
      datacenter: 11,
      machine: 26,
      sequence: 0,
    });
  });

  test("Discord, 2016, with its own epoch", () => {
    expect(decodeSnowflake(175928847299117063n, 1420070400000)).toEqual({
      timeMs: Date.parse("2016-04-30T11:18:25.796Z"),
      worker: 32,
      datacenter: 1,
      machine: 0,
      sequence: 7,
    });
  });

  test("every field at its end: time 1, data centre 31, machine 31, sequence 4095", () => {
    expect(decodeSnowflake(8388607n, 0)).toEqual({
      timeMs: 1,
      worker: 1023,
      datacenter: 31,
      machine: 31,
      sequence: 4095,
    });
    const generator = snowflake({ worker: 1023, epochMs: 0 });
    for (let i = 0; i < 4095; i++) generator.next(1);
    expect(generator.next(1)).toBe(8388607n);
  });

  test("the masks of the original", () => {
    const fields = (worker: number) => snowflake({ worker, epochMs: 0 }).next(0);
    expect(fields(0x1f)).toBe(0x1f000n);
    expect(fields(0x1f << 5)).toBe(0x3e0000n);
    expect(snowflakeLayout(0).firstIdAt(2 ** 41 - 1)).toBe(0x7fffffffffc00000n);
  });
});

describe("one generator", () => {
  test("counts on when the clock goes back and does not touch the sequence when it refuses", () => {
    const generator = snowflake({ worker: 3, aheadMsMax: 5 });
    expect(decodeSnowflake(generator.next(start)).sequence).toBe(0);
    expect(decodeSnowflake(generator.next(start - 1))).toMatchObject({
      timeMs: start,
      sequence: 1,
    });
    expect(() => generator.next(start - 6)).toThrow(
      expect.objectContaining({
        code: "TENFOLD_IDENTIFIERS_AHEAD",
        retryable: true,
        retryAfterMs: 1,
      }),
    );
    expect(decodeSnowflake(generator.next(start)).sequence).toBe(2);
  });

  test("borrows later milliseconds for a burst, up to its bound", () => {
    const generator = snowflake({ worker: 0, aheadMsMax: 2 });
    const ids = Array.from({ length: 3 * 4096 }, () => generator.next(start));
    expect(new Set(ids).size).toBe(ids.length);
    expect(generator.lastMs).toBe(start + 2);
    expect(() => generator.next(start)).toThrow(
      expect.objectContaining({ code: "TENFOLD_IDENTIFIERS_AHEAD", retryAfterMs: 1 }),
    );
    expect(decodeSnowflake(generator.next(start + 1)).timeMs).toBe(start + 3);
  });

  test("keeps before a bound, and waiting as long as it says is enough", () => {
    const generator = snowflake({ worker: 0 });
    expect(decodeSnowflake(generator.next(start, start + 1)).timeMs).toBe(start);
    expect(() => generator.next(start + 1, start + 1)).toThrow(
      expect.objectContaining({ code: "TENFOLD_IDENTIFIERS_AHEAD", retryAfterMs: 1 }),
    );
    expect(decodeSnowflake(generator.next(start + 1, start + 2)).timeMs).toBe(start + 1);
  });

  test("starts after the last millisecond of an earlier one", () => {
    const generator = snowflake({ worker: 0, afterMs: start + 3 });
    expect(generator.lastMs).toBe(start + 3);
    expect(decodeSnowflake(generator.next(start))).toMatchObject({
      timeMs: start + 4,
      sequence: 0,
    });
  });

  test("refuses times that 41 bits do not hold, at both ends", () => {
    const outOfRange = withCode("TENFOLD_IDENTIFIERS_TIME_OUT_OF_RANGE");
    const generator = snowflake({ worker: 0 });
    expect(() => generator.next(twitterEpochMs - 1)).toThrow(outOfRange);
    expect(() => generator.next(twitterEpochMs + 2 ** 41)).toThrow(outOfRange);
    expect(() => generator.next(Number.NaN)).toThrow(outOfRange);
    expect(() => generator.next(start + 0.5)).toThrow(outOfRange);
    expect(generator.lastMs).toBeUndefined();
    expect(new Date(twitterEpochMs + 2 ** 41 - 1).toISOString()).toMatch(/^2080-07-10/);
    expect(generator.next(twitterEpochMs + 2 ** 41 - 1)).toBe(0x7fffffffffc00000n);
  });

  test.each([
    { worker: 1024 },
    { worker: -1 },
    { worker: 1.5 },
    { worker: 0, epochMs: -1 },
    { worker: 0, aheadMsMax: -1 },
    { worker: 0, afterMs: -2 },
    { worker: 0, afterMs: start + 0.5 },
    { worker: 0, afterMs: twitterEpochMs + 2 ** 41 },
  ])("refuses the options %j", (options) => {
    expect(() => snowflake(options)).toThrow(withCode("TENFOLD_OPTION_INVALID"));
  });
});

test("ids of one generator only grow, under clocks that step, stall and race", () => {
  const step = fc.oneof(
    fc.constant(0),
    fc.integer({ min: 1, max: 50 }),
    fc.integer({ min: -20_000, max: 20_000 }),
    fc.constantFrom(-3_600_000, 3_600_000),
  );
  const moves = fc.array(fc.record({ step, calls: fc.integer({ min: 0, max: 9_000 }) }), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(moves, fc.integer({ min: 0, max: 1023 }), (clockMoves, worker) => {
      const generator = snowflake({ worker });
      let wallMs = start;
      let last = -1n;
      for (const move of clockMoves) {
        wallMs += move.step;
        for (let call = 0; call < move.calls; call++) {
          const id = nextOrRefused(generator, wallMs);
          if (id === undefined) {
            expect((generator.lastMs as number) - wallMs).toBeGreaterThanOrEqual(
              idGeneratorDefaults.aheadMsMax,
            );
            break;
          }
          if (id <= last) throw new Error(`${id} came after ${last}`);
          last = id;
        }
        if (last < 0n) continue;
        const parts = decodeSnowflake(last);
        if (parts.worker !== worker) throw new Error(`worker ${parts.worker}`);
        expect(parts.timeMs).toBe(generator.lastMs);
      }
    }),
    { numRuns: 60 },
  );
});

test("an id lies between the first and the last id of its millisecond", () => {
  const time = fc.integer({ min: twitterEpochMs, max: twitterEpochMs + 2 ** 41 - 1 });
  fc.assert(
    fc.property(time, fc.integer({ min: 0, max: 1023 }), (timeMs, worker) => {
      const id = snowflake({ worker }).next(timeMs);
      expect(firstIdAt(timeMs) <= id && id <= lastIdAt(timeMs)).toBe(true);
      expect(lastIdAt(timeMs) - firstIdAt(timeMs)).toBe(2n ** 22n - 1n);
      expect(decodeSnowflake(lastIdAt(timeMs)).timeMs).toBe(timeMs);
    }),
  );
});

test("an id of 64 bits or below zero is no snowflake", () => {
  const invalid = withCode("TENFOLD_IDENTIFIERS_ID_INVALID");
  expect(() => decodeSnowflake(-1n)).toThrow(invalid);
  expect(() => decodeSnowflake(2n ** 63n)).toThrow(invalid);
});

function nextOrRefused(generator: { next(ms: number): bigint }, wallMs: number) {
  try {
    return generator.next(wallMs);
  } catch (error) {
    expect(error).toEqual(withCode("TENFOLD_IDENTIFIERS_AHEAD"));
    return undefined;
  }
}
