import fc from "fast-check";
import { expect, test } from "vitest";
import { formatId, parseId } from "./id-codec.ts";

const invalid = expect.objectContaining({ code: "TENFOLD_IDENTIFIERS_ID_INVALID" });

test("every id of 63 bits survives JSON", () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 63n - 1n), (id) => {
      const carried = JSON.parse(JSON.stringify({ id: formatId(id) })) as { id: unknown };
      expect(parseId(carried.id)).toBe(id);
    }),
  );
});

test.each([
  "",
  "-1",
  "+1",
  "01",
  "00",
  "1.0",
  "1e3",
  " 1",
  "1 ",
  "1\n",
  "0x10",
  "abc",
  "٣",
  "9223372036854775808",
  "36893488147419103232",
  "9".repeat(100),
  1,
  1n,
  null,
  undefined,
  {},
])("refuses %o", (text) => {
  expect(() => parseId(text)).toThrow(invalid);
});

test("keeps both ends and refuses to print what it would not read", () => {
  expect(parseId("0")).toBe(0n);
  expect(parseId("9223372036854775807")).toBe(2n ** 63n - 1n);
  expect(() => formatId(-1n)).toThrow(invalid);
  expect(() => formatId(2n ** 63n)).toThrow(invalid);
});

test("the message names the field and cuts what came", () => {
  const long = "x".repeat(1000);
  expect(() => parseId(long, "user")).toThrow(/^user must be .{0,140}got "x{40}"\.$/);
});
