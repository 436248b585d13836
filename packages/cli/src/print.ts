export interface PrintOptions {
  readonly json?: boolean;
}

/** Prints one line of JSON, or the text for people. */
export function print(options: PrintOptions, value: unknown, text: () => string): void {
  process.stdout.write(`${options.json ? jsonText(value) : text()}\n`);
}

/** Revisions as text: they do not fit into the numbers of JSON. */
function jsonText(value: unknown): string {
  return JSON.stringify(value, (_key, each) => (typeof each === "bigint" ? String(each) : each));
}

/** Columns under their heads, as wide as they need. */
export function textTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
