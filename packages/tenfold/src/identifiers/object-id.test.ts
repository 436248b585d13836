import { describe, expect, test } from "vitest";
import { seededRandom } from "../runtime/random.ts";
import { decodeObjectId, firstObjectIdAt, lastObjectIdAt, objectIds } from "./object-id.ts";

const start = Date.UTC(2026, 0, 1);

describe("published ids", () => {
  test.each([
    ["507f1f77bcf86cd799439011", "2012-10-17T21:13:27Z"],
    ["000000000000000000000000", "1970-01-01T00:00:00Z"],
    ["7fffffff0000000000000000", "2038-01-19T03:14:07Z"],
    ["800000000000000000000000", "2038-01-19T03:14:08Z"],
    ["ffffffff0000000000000000", "2106-02-07T06:28:15Z"],
  ])("%s", (id, time) => {
    expect(decodeObjectId(id).timeMs).toBe(Date.parse(time));
  });

  test("all fields", () => {
    expect(decodeObjectId("507F1F77bcf86cd799439011")).toEqual({
      timeMs: Date.parse("2012-10-17T21:13:27Z"),
      machine: 0xbcf86c,
      process: 0xd799,
      counter: 0x439011,
    });
  });
});

test("the counter goes from ffffff to 000000", () => {
  const below = (limit: number) => limit - 1;
  const ids = objectIds({ random: { below } });
  const [last, first] = [ids.next(start), ids.next(start)];
  expect(last).toMatch(/ffffff$/);
  expect(first).toBe(`${last.slice(0, 18)}000000`);
});

test("a quarter of a million ids are different, sort by second, and a clock set back changes nothing", () => {
  const ids = objectIds({ random: seededRandom("object ids") });
  const seen = new Set<string>();
  let before = "";
  for (let call = 0; call < 250_000; call++) {
    const id = ids.next(start + (call >> 8) - (call % 7 === 0 ? 3_600_000 : 0));
    seen.add(id);
    if (id.slice(0, 8) < before) throw new Error(`${id} after ${before}`);
    before = id.slice(0, 8);
  }
  expect(seen.size).toBe(250_000);
});

test("first and last id of a time, the end of the range, and what is none", () => {
  const id = objectIds({ random: seededRandom("span") }).next(start + 999);
  expect(firstObjectIdAt(start) < id && id < lastObjectIdAt(start)).toBe(true);
  const outOfRange = expect.objectContaining({ code: "TENFOLD_IDENTIFIERS_TIME_OUT_OF_RANGE" });
  const ids = objectIds({ random: seededRandom("end") });
  for (const timeMs of [2 ** 32 * 1_000, -1, Number.NaN]) {
    expect(() => ids.next(timeMs)).toThrow(outOfRange);
    expect(() => firstObjectIdAt(timeMs)).toThrow(outOfRange);
  }
  for (const text of ["", "507f1f77bcf86cd79943901", "507f1f77bcf86cd79943901g", 5, null]) {
    expect(() => decodeObjectId(text as string)).toThrow(
      expect.objectContaining({ code: "TENFOLD_IDENTIFIERS_ID_INVALID" }),
    );
  }
});
