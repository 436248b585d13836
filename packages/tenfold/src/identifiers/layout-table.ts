import type { IdLayout } from "./layout.ts";

const heads = ["layout", "bits", "from", "until", "ids/s", "makers", "exact as number until"];

/** What the table says of a layout; ids of more than 63 bits have such rows, too. */
export type LayoutRow = Pick<
  IdLayout,
  "name" | "epochMs" | "unitMs" | "endMs" | "lowBits" | "fields"
>;

/**
 * What layouts can carry, as a table for people: their first and last day, ids a second of each
 * maker, how many makers there can be, and until when an id is exact as a JavaScript number. A
 * maker is one combination of the fields between time and sequence.
 */
export function layoutTable(layouts: readonly LayoutRow[]): string {
  const rows = [heads, ...layouts.map(cellsOf)];
  const widths = heads.map((_, column) => Math.max(...rows.map((row) => cell(row, column).length)));
  const lines = rows.map((row) =>
    widths.map((width, column) => cell(row, column).padEnd(width)).join("  "),
  );
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}

function cellsOf({ name, fields, epochMs, unitMs, endMs, lowBits }: LayoutRow): string[] {
  const makers = fields.slice(1, -1).reduce((product, { max }) => product * (max + 1), 1);
  const perTick = (fields.at(-1)?.max ?? 0) + 1;
  const exactMs = Math.min(endMs, epochMs + 2 ** (53 - lowBits) * unitMs - 1);
  return [
    name,
    fields.map((field) => `${field.name} ${field.bits}`).join(" · "),
    day(epochMs),
    day(endMs),
    Math.round((perTick * 1_000) / unitMs).toLocaleString("en"),
    makers.toLocaleString("en"),
    lowBits < 53 ? day(exactMs) : "never",
  ];
}

function cell(row: readonly string[], column: number): string {
  return row[column] ?? "";
}

/** Years after 9999 are written +012345 by ISO 8601. */
function day(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/T.*/, "");
}
