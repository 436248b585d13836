import type { LinePlot } from "./plot.ts";
import {
  type Area,
  canvas,
  placeAxis,
  seriesMax,
  svgDocument,
  svgLine,
  svgText,
  ticksTo,
  valueAxis,
} from "./svg.ts";

const area: Area = { left: 64, top: 84, width: canvas.width - 88, height: canvas.height - 138 };

/** Curves over a common x axis, the y axis from 0. */
export function drawLines(plot: LinePlot): string {
  if (plot.series.length > seriesMax) throw new Error(`a plot holds ${seriesMax} series at most`);
  const points = plot.series.flatMap((series) => series.points);
  const xs = points.map(([x]) => x).filter(Number.isFinite);
  const ys = points.map(([, y]) => y).filter(Number.isFinite);
  if (xs.length === 0 || ys.length === 0) throw new Error(`plot ${plot.name} has no points`);
  const from = xs.reduce((a, b) => Math.min(a, b));
  const last = xs.reduce((a, b) => Math.max(a, b));
  const to = last > from ? last : from + 1;
  const ticks = ticksTo(ys.reduce((a, b) => Math.max(a, b)));
  const top = ticks.at(-1) as number;
  const xAt = (x: number): number => area.left + (area.width * (x - from)) / (to - from);
  const yAt = (y: number): number => area.top + area.height * (1 - y / top);

  const curves = plot.series.map(({ points: own }, at) => {
    let pen = "M";
    const path = own.map(([x, y]) => {
      if (!Number.isFinite(y)) {
        pen = "M";
        return "";
      }
      const step = `${pen}${xAt(x).toFixed(1)} ${yAt(y).toFixed(1)}`;
      pen = "L";
      return step;
    });
    return `<path class="line s${at}" d="${path.join("")}"/>`;
  });
  const marks = (plot.marks ?? []).flatMap(({ x, label }) => [
    svgLine([xAt(x), area.top - 4], [xAt(x), area.top + area.height], "mark"),
    svgText(xAt(x), area.top - 8, label, "dim", "middle"),
  ]);
  return svgDocument(plot.title, canvas.height, [
    ...valueAxis(area, ticks, ""),
    svgText(16, 50, `${plot.y.label}:`, "dim"),
    ...placeAxis(area, { from, to }, plot.x.label),
    ...marks,
    ...curves,
    ...legend(
      plot.series.map(({ name }) => name),
      28 + plot.y.label.length * 6.5,
    ),
  ]);
}

function legend(names: readonly string[], start: number): string[] {
  let x = start;
  return names.flatMap((name, at) => {
    const parts = [svgLine([x, 46], [x + 16, 46], `line s${at}`), svgText(x + 22, 50, name)];
    x += 40 + name.length * 7;
    return parts;
  });
}
