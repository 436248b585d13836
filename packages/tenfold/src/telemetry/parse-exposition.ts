import { TenfoldError } from "../runtime/errors.ts";

/** One series of a parsed exposition; `labels` has no prototype. */
export interface ParsedSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const seriesLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?\s*$/s;
const labelPair = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,\s*|$)/sy;
const number = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/**
 * Reads a Prometheus text exposition: metric name, with `_bucket`, `_sum` and `_count`, to series.
 * @throws TENFOLD_TELEMETRY_EXPOSITION_INVALID naming the line
 */
export function parseExposition(text: string): ReadonlyMap<string, readonly ParsedSeries[]> {
  const metrics = new Map<string, ParsedSeries[]>();
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [, name, labels = "", value = ""] = seriesLine.exec(line) ?? [];
    if (name === undefined) throw invalid(index, line);
    const series = metrics.get(name) ?? [];
    series.push({ labels: parseLabels(labels, index), value: parseValue(value, index) });
    metrics.set(name, series);
  }
  return metrics;
}

function parseLabels(text: string, index: number): Record<string, string> {
  const labels: Record<string, string> = Object.create(null);
  labelPair.lastIndex = 0;
  while (labelPair.lastIndex < text.length) {
    const [, name, value] = labelPair.exec(text) ?? [];
    if (name === undefined || value === undefined) throw invalid(index, text);
    labels[name] = value.replace(/\\(.)/gs, (_, escaped) => (escaped === "n" ? "\n" : escaped));
  }
  return labels;
}

function parseValue(text: string, index: number): number {
  if (number.test(text)) return Number(text);
  if (text === "NaN") return Number.NaN;
  if (/^\+?Inf$/.test(text)) return Number.POSITIVE_INFINITY;
  if (text === "-Inf") return Number.NEGATIVE_INFINITY;
  throw invalid(index, text);
}

function invalid(index: number, came: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_TELEMETRY_EXPOSITION_INVALID",
    `Line ${index + 1} is not Prometheus text format 0.0.4: ${came.slice(0, 100)}`,
    { details: { line: index + 1 } },
  );
}
