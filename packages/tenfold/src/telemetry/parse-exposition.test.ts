import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { exposition } from "./exposition.ts";
import { parseExposition } from "./parse-exposition.ts";
import { createRegistry } from "./registry.ts";

describe("parseExposition", () => {
  it("reads back every value and label that exposition wrote", () => {
    const labels = fc.string({ unit: "binary", maxLength: 20 });
    fc.assert(
      fc.property(fc.array(fc.tuple(labels, labels, fc.double())), (series) => {
        const metrics = createRegistry({ seriesMax: 1_000 });
        const gauge = metrics.gauge({ name: "g", help: "G.", labels: ["a", "b"] });
        const expected = new Map<string, number>();
        for (const [a, b, value] of series) {
          gauge.with({ a, b }).set(value);
          expected.set(JSON.stringify([a.toWellFormed(), b.toWellFormed()]), value);
        }
        const parsed = parseExposition(exposition(metrics.read())).get("g") ?? [];
        const found = parsed.map(({ labels: { a, b }, value }) => [JSON.stringify([a, b]), value]);
        // -0 is written as 0.
        const positive = [...expected].map(([key, value]) => [key, value === 0 ? 0 : value]);
        expect(new Map(found as [string, number][])).toEqual(new Map(positive as never));
      }),
      { numRuns: 30 },
    );
  });

  it("reads what other programs write: spaces, timestamps, trailing commas, infinities", () => {
    const text = `# TYPE a counter\n\na{ b = "c" , } +Inf 1700000000000\na 1e3\na{} -Inf\n`;
    const values = parseExposition(text)
      .get("a")
      ?.map(({ value }) => value);
    expect(values).toEqual([Number.POSITIVE_INFINITY, 1_000, Number.NEGATIVE_INFINITY]);
  });

  it.each(["no value", "a{b=c} 1", 'a{b="c} 1', "a 0x10", "a", "<html>"])("refuses %j", (line) => {
    const invalid = expect.objectContaining({ code: "TENFOLD_TELEMETRY_EXPOSITION_INVALID" });
    expect(() => parseExposition(`ok 1\n${line}`)).toThrow(invalid);
  });

  it("takes a label that is called like a prototype for a label", () => {
    const [series] = parseExposition('a{__proto__="x"} 1').get("a") ?? [];
    expect(Object.entries(series?.labels ?? {})).toEqual([["__proto__", "x"]]);
  });
});
