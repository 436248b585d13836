import { posix } from "node:path";
import { parseSync, Visitor } from "vite";

export interface ImportOf {
  readonly specifier: string;
  readonly line: number;
  /** Erased when the file runs. */
  readonly typeOnly: boolean;
  /** `import("…")` or `new URL("…", import.meta.url)`: loaded when needed. */
  readonly lazy: boolean;
}

export interface Sighting {
  readonly what: string;
  readonly line: number;
}

/** What the house rules ask of a source file, read from its syntax tree. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly ImportOf[];
  /** Reads of the ambient clock, timers and chance. */
  readonly ambient: readonly Sighting[];
  /** Top-level statements other than imports and named re-exports. */
  readonly statements: readonly Sighting[];
  /** String literals and beginnings of templates: a path in one keeps the file it names alive. */
  readonly strings: ReadonlySet<string>;
}

const ambientMembers = new Set([
  "Date.now",
  "performance.now",
  "Math.random",
  "AbortSignal.timeout",
  "crypto.randomUUID",
  "crypto.getRandomValues",
]);
const ambientCalls = new Set(["setTimeout", "setInterval"]);

/** Parses one TypeScript or JavaScript file. Throws when it has a syntax error. */
export function sourceFile(path: string, text: string): SourceFile {
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  const lineAt = lineCounter(text);
  const imports: ImportOf[] = [];
  const ambient: Sighting[] = [];
  const statements: Sighting[] = [];
  const strings = new Set<string>();

  const addImport = (specifier: string, at: number, typeOnly: boolean, lazy: boolean): void => {
    imports.push({ specifier, line: lineAt(at), typeOnly, lazy });
  };
  for (const node of program.body) {
    if (node.type === "ImportDeclaration") {
      const typed = node.specifiers.every(
        (each) => each.type === "ImportSpecifier" && each.importKind === "type",
      );
      const erased = node.importKind === "type" || (typed && node.specifiers.length > 0);
      addImport(node.source.value, node.start, erased, false);
    } else if (node.type === "ExportNamedDeclaration" && node.source !== null) {
      const typed = node.specifiers.every((each) => each.exportKind === "type");
      addImport(node.source.value, node.start, node.exportKind === "type" || typed, false);
    } else {
      if (node.type === "ExportAllDeclaration") {
        addImport(node.source.value, node.start, node.exportKind === "type", false);
      }
      statements.push({ what: node.type, line: lineAt(node.start) });
    }
  }
  new Visitor({
    Literal(node) {
      if (typeof node.value === "string") strings.add(node.value);
    },
    TemplateLiteral(node) {
      strings.add(node.quasis[0]?.value.raw ?? "");
    },
    ImportExpression(node) {
      const { source } = node;
      if (source.type === "Literal" && typeof source.value === "string") {
        addImport(source.value, node.start, false, true);
      }
    },
    TSImportType(node) {
      if (typeof node.source?.value === "string")
        addImport(node.source.value, node.start, true, false);
    },
    MemberExpression(node) {
      const name = text.slice(node.start, node.end).replace(/^globalThis\./, "");
      if (ambientMembers.has(name)) ambient.push({ what: name, line: lineAt(node.start) });
    },
    CallExpression(node) {
      const { callee } = node;
      if (callee.type === "Identifier" && ambientCalls.has(callee.name)) {
        ambient.push({ what: callee.name, line: lineAt(node.start) });
      }
    },
    NewExpression(node) {
      const { callee } = node;
      if (callee.type !== "Identifier") return;
      if (callee.name === "Date" && node.arguments.length === 0) {
        ambient.push({ what: "new Date()", line: lineAt(node.start) });
      }
      const [target] = node.arguments;
      if (callee.name !== "URL" || target?.type !== "Literal") return;
      if (typeof target.value === "string" && target.value.startsWith("."))
        addImport(target.value, node.start, false, true);
    },
  }).visit(program);
  return { path, text, imports, ambient, statements, strings };
}

/** The path from the root that a relative specifier means; undefined for packages. */
export function resolveRelative(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  return posix.normalize(posix.join(posix.dirname(from), specifier));
}

/** Is it only run by the test runner, or written for tests? */
export function isTest(path: string): boolean {
  return /\.test\.tsx?$/.test(path);
}

function lineCounter(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((starts[middle] as number) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
