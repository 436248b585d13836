import { placeOf } from "./floors.ts";
import { isTest } from "./source-file.ts";
import type { Tree } from "./tree.ts";

export const shapeLimits = { fileLines: 400, lineColumns: 100 } as const;

/** Files of at most 400 lines; lines of at most 100 columns, but for addresses and tests' texts. */
export function sizeViolations(tree: Tree): string[] {
  const found: string[] = [];
  for (const { path, text } of tree.sources.values()) {
    const lines = text.split("\n");
    if (lines.at(-1) === "") lines.pop();
    if (lines.length > shapeLimits.fileLines) {
      found.push(`${path} has ${lines.length} lines: a file holds one concept; split it.`);
    }
    for (const [index, line] of lines.entries()) {
      if (line.length <= shapeLimits.lineColumns || /https?:\/\/|biome-ignore/.test(line)) continue;
      if (isTest(path) && /["'`]/.test(line)) continue;
      found.push(`${path}:${index + 1} has ${line.length} columns: break the line at 100.`);
    }
  }
  return found;
}

/** Names of source files and their folders are kebab-case. */
export function nameViolations(tree: Tree): string[] {
  const found: string[] = [];
  for (const path of tree.sources.keys()) {
    const parts = path.replace(/(\.[a-z]+)+$/, "").split("/");
    const wrong = parts.find((part) => !/^\.?[a-z0-9]+(-[a-z0-9]+)*$/.test(part));
    if (wrong !== undefined) found.push(`${path}: name "${wrong}" in kebab-case.`);
  }
  return found;
}

/** `index.ts` says what a room exports, by name, and nothing else. */
export function indexViolations(tree: Tree): string[] {
  const found: string[] = [];
  for (const file of tree.sources.values()) {
    const { exported } = placeOf(file.path);
    if (exported === "" || !file.path.endsWith(`${exported}/index.ts`)) continue;
    for (const { what, line } of file.statements) {
      found.push(`${file.path}:${line} is a ${what}: an index only re-exports, by name.`);
    }
  }
  return found;
}

/** Every exported room is there, and every room is exported. */
export function exportViolations(tree: Tree): string[] {
  const manifest = tree.texts.get("packages/tenfold/package.json");
  if (manifest === undefined) return ["packages/tenfold/package.json is missing"];
  const { exports } = JSON.parse(manifest) as { exports: Record<string, unknown> };
  const found: string[] = [];
  const named = new Set<string>();
  for (const [key, value] of Object.entries(exports)) {
    if (key === "./package.json") continue;
    const room = key.slice(2);
    named.add(room);
    const expected = {
      "tenfold:source": `./src/${room}/index.ts`,
      types: `./dist/${room}/index.d.ts`,
      default: `./dist/${room}/index.js`,
    };
    if (JSON.stringify(value) !== JSON.stringify(expected)) {
      found.push(`packages/tenfold/package.json: "${key}" must be ${JSON.stringify(expected)}.`);
    }
    if (!tree.sources.has(`packages/tenfold/src/${room}/index.ts`)) {
      found.push(`"${key}" is exported, but packages/tenfold/src/${room}/index.ts is missing.`);
    }
  }
  for (const path of tree.sources.keys()) {
    const { exported } = placeOf(path);
    if (exported === "" || named.has(exported)) continue;
    named.add(exported);
    found.push(`${path}: the room ${exported}/ has no line in the exports of its package.json.`);
  }
  return found;
}
