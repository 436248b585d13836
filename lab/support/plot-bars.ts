import { formatNumber } from "./goal.ts";
import type { BarPlot } from "./plot.ts";
import { type Area, canvas, svgBox, svgDocument, svgLine, svgText, ticksTo } from "./svg.ts";

const rowHeight = 28;
const barHeight = 16;

/** Lying bars, one a row, so that their names can be read. */
export function drawBars(plot: BarPlot): string {
  if (plot.bars.length === 0) throw new Error(`plot ${plot.name} has no bars`);
  const values = plot.bars.map(({ value }) => value);
  const top = ticksTo(Math.max(...values, plot.goal ?? 0)).at(-1) as number;
  const names = Math.max(...plot.bars.map(({ name }) => name.length));
  const left = Math.min(260, 24 + names * 7);
  const area: Area = {
    left,
    top: 66,
    width: canvas.width - left - 96,
    height: plot.bars.length * rowHeight,
  };
  const bars = plot.bars.flatMap(({ name, value }, at) => {
    const y = area.top + at * rowHeight + (rowHeight - barHeight) / 2;
    const width = Number.isFinite(value) ? (area.width * Math.max(0, value)) / top : 0;
    const bar = { left: area.left, top: y, width, height: barHeight };
    const missed = plot.goal !== undefined && value > plot.goal;
    return [
      svgText(area.left - 8, y + 12, name, "", "end"),
      svgBox(bar, missed ? "bad" : "f0", `${name}: ${formatNumber(value)}`),
      svgText(area.left + width + 6, y + 12, formatNumber(value), "dim"),
    ];
  });
  const bottom = area.top + area.height;
  const goal = plot.goal === undefined ? [] : goalLine(area, plot.goal, top);
  return svgDocument(plot.title, bottom + 24, [
    svgText(16, 50, plot.y.label, "dim"),
    svgLine([area.left, area.top], [area.left, bottom], "axis"),
    ...bars,
    ...goal,
  ]);
}

function goalLine(area: Area, goal: number, top: number): string[] {
  const x = area.left + (area.width * goal) / top;
  return [
    svgLine([x, area.top - 6], [x, area.top + area.height], "mark"),
    svgText(x, area.top - 10, `goal ${formatNumber(goal)}`, "dim", "middle"),
  ];
}
