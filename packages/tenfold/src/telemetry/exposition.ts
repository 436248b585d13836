import type { MetricFamily, Sample } from "./metric.ts";

export const expositionContentType = "text/plain; version=0.0.4; charset=utf-8";

/**
 * Metrics as Prometheus reads them: text format 0.0.4, families and series in stable order.
 * Source: prometheus.io, "Exposition formats".
 */
export function exposition(families: readonly MetricFamily[]): string {
  const lines: string[] = [];
  for (const { name, help, kind, samples } of families) {
    lines.push(`# HELP ${name} ${escaped(help)}`, `# TYPE ${name} ${kind}`);
    for (const { suffix, labels, value } of samples) {
      lines.push(`${name}${suffix}${labelText(labels)} ${valueText(value)}`);
    }
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

function labelText(labels: Sample["labels"]): string {
  if (labels.length === 0) return "";
  const pairs = labels.map(([name, value]) => `${name}="${escaped(value).replaceAll('"', '\\"')}"`);
  return `{${pairs.join(",")}}`;
}

function valueText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
