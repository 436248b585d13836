import { formatNumber } from "./goal.ts";
import type { TimelinePlot } from "./plot.ts";
import { type Area, canvas, placeAxis, svgBox, svgDocument, svgLine, svgText } from "./svg.ts";

const rowHeight = 22;
const spanHeight = 14;

/** One row a thing: green while it serves, amber while it comes back, red while it is gone. */
export function drawTimeline(plot: TimelinePlot): string {
  const spans = plot.rows.flatMap((row) => row.spans);
  if (spans.length === 0) throw new Error(`plot ${plot.name} has no spans`);
  const from = Math.min(...spans.map((span) => span.from));
  const to = Math.max(...spans.map((span) => span.to), from + 1e-9);
  const names = Math.max(...plot.rows.map(({ name }) => name.length));
  const left = Math.min(220, 24 + names * 7);
  const area: Area = {
    left,
    top: 62,
    width: canvas.width - left - 24,
    height: plot.rows.length * rowHeight,
  };
  const xAt = (x: number): number => area.left + (area.width * (x - from)) / (to - from);
  const rows = plot.rows.flatMap(({ name, spans: own }, at) => {
    const top = area.top + at * rowHeight + (rowHeight - spanHeight) / 2;
    return [
      svgText(area.left - 8, top + 11, name, "", "end"),
      ...own.map((span) =>
        svgBox(
          // A short outage must stay visible.
          {
            left: xAt(span.from),
            top,
            width: Math.max(2, xAt(span.to) - xAt(span.from)),
            height: spanHeight,
          },
          span.tone,
          `${name}: ${span.tone} ${formatNumber(span.from)} to ${formatNumber(span.to)}`,
        ),
      ),
    ];
  });
  const marks = (plot.marks ?? []).flatMap(({ x, label }) => [
    svgLine([xAt(x), area.top - 4], [xAt(x), area.top + area.height], "mark"),
    svgText(xAt(x), area.top - 8, label, "dim", "middle"),
  ]);
  return svgDocument(plot.title, area.top + area.height + 52, [
    ...placeAxis(area, { from, to }, plot.x.label),
    ...rows,
    ...marks,
  ]);
}
