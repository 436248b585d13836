import { formatNumber } from "./goal.ts";

/** The drawing area inside the frame of labels. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export const canvas = { width: 760, height: 380 } as const;

/** Colours that stay apart for colour-blind eyes, after Okabe and Ito; CSS classes s0 … s5. */
const seriesColours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#7a6fd0"] as const;
export const seriesMax: number = seriesColours.length;

const style = `
  svg { --ink: #1c2733; --dim: #66727f; --rule: #e3e7eb; --ground: #ffffff }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #e8edf2; --dim: #9aa7b4; --rule: #2c3742; --ground: #11181f }
  }
  text { font: 12px system-ui, sans-serif; fill: var(--ink) }
  .title { font-size: 15px; font-weight: 600 }
  .dim { fill: var(--dim) }
  .ground { fill: var(--ground) }
  .rule { stroke: var(--rule); stroke-width: 1 }
  .axis { stroke: var(--dim); stroke-width: 1 }
  .mark { stroke: var(--dim); stroke-width: 1; stroke-dasharray: 3 3 }
  .line { fill: none; stroke-width: 2; stroke-linejoin: round }
  .good { fill: #009e73 } .waiting { fill: #e0a100 } .bad { fill: #d55e00 }
${seriesColours.map(seriesStyle).join("\n")}
`;

function seriesStyle(colour: string, at: number): string {
  return `  .s${at} { stroke: ${colour} } .f${at} { fill: ${colour} }`;
}

/** Wraps the parts of a drawing into a document with its title. */
export function svgDocument(title: string, height: number, parts: readonly string[]): string {
  const { width } = canvas;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escapeText(title)}</title>`,
    `<style>${style}</style>`,
    `<rect class="ground" width="${width}" height="${height}"/>`,
    svgText(16, 26, title, "title"),
    ...parts,
    "</svg>\n",
  ].join("\n");
}

export function svgText(
  x: number,
  y: number,
  text: string,
  className = "",
  anchor: "start" | "middle" | "end" = "start",
): string {
  const place = `x="${round(x)}" y="${round(y)}" text-anchor="${anchor}"`;
  return `<text class="${className}" ${place}>${escapeText(text)}</text>`;
}

export function svgLine(
  from: readonly [number, number],
  to: readonly [number, number],
  className: string,
): string {
  const [x1, y1] = from.map(round);
  const [x2, y2] = to.map(round);
  return `<line class="${className}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`;
}

export function svgBox(area: Area, className: string, tip: string): string {
  const { left, top, width, height } = area;
  const place = `x="${round(left)}" y="${round(top)}" width="${round(width)}"`;
  const open = `<rect class="${className}" ${place} height="${round(height)}" rx="2">`;
  return `${open}<title>${escapeText(tip)}</title></rect>`;
}

/** Horizontal rules with their values, and what the axis shows. */
export function valueAxis(area: Area, ticks: readonly number[], label: string): string[] {
  const top = ticks.at(-1) ?? 1;
  const right = area.left + area.width;
  const parts = ticks.flatMap((tick) => {
    const y = area.top + area.height * (1 - tick / top);
    return [
      svgLine([area.left, y], [right, y], tick === 0 ? "axis" : "rule"),
      svgText(area.left - 8, y + 4, formatNumber(tick), "dim", "end"),
    ];
  });
  return [...parts, svgText(16, area.top - 12, label, "dim")];
}

/** The x axis below an area, from `from` to `to`. */
export function placeAxis(
  area: Area,
  range: { readonly from: number; readonly to: number },
  label: string,
): string[] {
  const bottom = area.top + area.height;
  const parts = ticksBetween(range.from, range.to).flatMap((tick) => {
    const x = area.left + (area.width * (tick - range.from)) / (range.to - range.from);
    return [
      svgLine([x, bottom], [x, bottom + 4], "axis"),
      svgText(x, bottom + 18, formatNumber(tick), "dim", "middle"),
    ];
  });
  return [
    svgLine([area.left, bottom], [area.left + area.width, bottom], "axis"),
    ...parts,
    svgText(area.left + area.width, bottom + 36, label, "dim", "end"),
  ];
}

/** Round values from 0 to at least `max`. */
export function ticksTo(max: number): readonly number[] {
  const step = niceStep(max > 0 ? max : 1);
  const count = Math.max(1, Math.ceil((max > 0 ? max : 1) / step - 1e-9));
  return Array.from({ length: count + 1 }, (_, index) => tidy(index * step));
}

function ticksBetween(from: number, to: number): readonly number[] {
  const step = niceStep(to - from);
  const first = Math.ceil(from / step - 1e-9);
  const count = Math.floor(to / step + 1e-9) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, index) => tidy((first + index) * step));
}

/** 1, 2 or 5 times a power of ten, about five of them in the span. */
function niceStep(span: number): number {
  const rough = span / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((each) => each * power >= rough * 0.999) ?? 10;
  return factor * power;
}

function tidy(value: number): number {
  return Number(value.toPrecision(12));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
