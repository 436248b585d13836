export interface Example {
  readonly code: string;
  /** What it prints; `…` in a line stands for anything. */
  readonly expected: readonly string[];
}

const mark = "\n// Prints:\n";

/** An example ends with `// Prints:` and its output as comments. */
export function exampleOf(text: string): Example {
  const at = text.indexOf(mark);
  if (at < 0) throw new Error("an example ends with `// Prints:` and the lines it prints");
  const expected = text
    .slice(at + mark.length)
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/^\/\/ ?/, ""));
  return { code: text.slice(0, at), expected };
}

/** The first difference between what was promised and what came; undefined when there is none. */
export function outputDifference(expected: readonly string[], printed: string): string | undefined {
  const lines = printed.trimEnd().split("\n");
  const count = Math.max(expected.length, lines.length);
  for (let index = 0; index < count; index += 1) {
    const wanted = expected[index];
    const came = lines[index];
    if (wanted !== undefined && came !== undefined && matches(wanted, came)) continue;
    return `line ${index + 1}: expected ${quote(wanted)}, printed ${quote(came)}`;
  }
  return undefined;
}

function matches(wanted: string, came: string): boolean {
  const parts = wanted.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(came);
}

function quote(line: string | undefined): string {
  return line === undefined ? "nothing" : JSON.stringify(line);
}
