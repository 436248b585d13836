import { describe, expect, it } from "vitest";

import { drawPlot, type Plot } from "./plot.ts";
import { ticksTo } from "./svg.ts";

const head = { name: "p", title: "A & B < C" };
const plots: readonly Plot[] = [
  {
    ...head,
    kind: "line",
    x: { label: "time, s" },
    y: { label: "latency, ms" },
    series: [
      {
        name: "p50",
        points: [
          [0, 1],
          [1, Number.NaN],
          [2, 3],
        ],
      },
      {
        name: "p99",
        points: [
          [0, 10],
          [2, 30],
        ],
      },
    ],
    marks: [{ x: 1, label: "kill" }],
  },
  { ...head, kind: "bar", y: { label: "MB" }, bars: [{ name: "posts", value: 42 }], goal: 40 },
  {
    ...head,
    kind: "timeline",
    x: { label: "time, s" },
    rows: [{ name: "posts-1", spans: [{ from: 0, to: 4, tone: "good" }] }],
  },
];

describe("plots", () => {
  it.each(plots)("$kind is one well-formed picture without lost numbers", (plot) => {
    const svg = drawPlot(plot);
    expect(svg).toMatch(/^<svg [\s\S]+<\/svg>\n$/);
    expect(svg).toContain("A &amp; B &lt; C");
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    const opened = svg.match(/<(text|title|rect|style)\b[^/>]*>/g)?.length;
    const closed = svg.match(/<\/(text|title|rect|style)>/g)?.length;
    expect(opened).toBe(closed);
  });

  it("refuse to show nothing", () => {
    const bare = { ...head, kind: "bar", y: { label: "" }, bars: [] } as const;
    expect(() => drawPlot(bare)).toThrow("no bars");
  });

  it("put round numbers on the axis, up to the greatest value", () => {
    expect(ticksTo(42)).toEqual([0, 10, 20, 30, 40, 50]);
    expect(ticksTo(0.7)).toEqual([0, 0.2, 0.4, 0.6, 0.8]);
    expect(ticksTo(0)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  });
});
