import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { idJson } from "./id-json.ts";
import { formatShortId, parseShortId } from "./short-id.ts";

const invalid = expect.objectContaining({ code: "TENFOLD_IDENTIFIERS_ID_INVALID" });
const id63 = fc.bigInt(0n, 2n ** 63n - 1n);

describe("JSON", () => {
  test("every id survives, as text and as number, alone and in arrays, at any depth", () => {
    fc.assert(
      fc.property(
        id63,
        fc.array(id63),
        fc.constantFrom("text", "number"),
        (id, followers, print) => {
          const codec = idJson({ ids: ["id", "followers"], print });
          const value = { id, deep: [{ id, followers, name: "n", count: 3, none: null }] };
          expect(codec.parse(codec.stringify(value))).toEqual(value);
        },
      ),
    );
  });

  test("text is the default, and numbers have all their digits", () => {
    const value = { id: 724223231875100689n };
    expect(idJson({ ids: ["id"] }).stringify(value)).toBe('{"id":"724223231875100689"}');
    const numbers = idJson({ ids: ["id"], print: "number" });
    expect(numbers.stringify(value)).toBe('{"id":724223231875100689}');
    expect(JSON.parse('{"id":724223231875100689}').id).not.toBe(724223231875100689n);
  });

  test("the 4,096 ids of one millisecond are as many after JSON", () => {
    const codec = idJson({ ids: ["ids"], print: "number" });
    const ids = Array.from({ length: 4_096 }, (_, step) => (1n << 62n) + BigInt(step));
    const { ids: read } = codec.parse(codec.stringify({ ids })) as { ids: bigint[] };
    expect(new Set(read).size).toBe(4_096);
    const asDoubles = JSON.parse(codec.stringify({ ids })) as { ids: number[] };
    expect(new Set(asDoubles.ids).size).toBeLessThan(40);
  });

  test("other members are as JSON has them, but no number is changed in silence", () => {
    const codec = idJson({ ids: ["id"] });
    const text = '{"a":1.5,"b":1e400,"c":-9007199254740993,"d":"9007199254740993","id":null}';
    expect(codec.parse(text)).toEqual({
      a: 1.5,
      b: Number.POSITIVE_INFINITY,
      c: -9007199254740993n,
      d: "9007199254740993",
      id: null,
    });
  });

  test.each(["-1", "1.5", '"x"', "true", "{}", '"01"', "9223372036854775808", '[["1"]]', "1e3000"])(
    "refuses %s as an id",
    (value) => {
      const codec = idJson({ ids: ["id"] });
      expect(() => codec.parse(`{"id":${value}}`)).toThrow(invalid);
    },
  );

  test("refuses what it could not read back, and whole numbers beyond 64 bits", () => {
    const codec = idJson({ ids: ["id"] });
    expect(() => codec.stringify({ id: -1n })).toThrow(invalid);
    expect(() => codec.stringify({ id: 2n ** 63n })).toThrow(invalid);
    expect(() => codec.parse(`{"x":${"9".repeat(1_000)}}`)).toThrow(invalid);
    expect(() => codec.parse("{")).toThrow(SyntaxError);
  });
});

describe("the short form", () => {
  test("keeps every id and its order, byte by byte", () => {
    fc.assert(
      fc.property(id63, id63, (a, b) => {
        const [shortA, shortB] = [formatShortId(a), formatShortId(b)];
        expect(shortA).toMatch(/^[0-7][0-9a-hjkmnp-tv-z]{12}$/);
        expect(parseShortId(shortA)).toBe(a);
        expect(parseShortId(shortA.toUpperCase())).toBe(a);
        expect(shortA < shortB).toBe(a < b);
      }),
    );
  });

  test("its ends", () => {
    expect(formatShortId(0n)).toBe("0000000000000");
    expect(formatShortId(2n ** 63n - 1n)).toBe("7zzzzzzzzzzzz");
    expect(() => formatShortId(2n ** 63n)).toThrow(invalid);
    expect(() => formatShortId(-1n)).toThrow(invalid);
  });

  test.each([
    "",
    "0",
    "8000000000000",
    "zzzzzzzzzzzzz",
    "00000000000000",
    "000000000000u",
    1,
    null,
  ])("refuses %s", (text) => {
    expect(() => parseShortId(text)).toThrow(invalid);
  });
});
