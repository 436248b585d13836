import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

import { type SourceFile, sourceFile } from "./source-file.ts";

/** The repository's root folder. */
export const root: string = fileURLToPath(new URL("../..", import.meta.url));

/** Not ours to judge: fetched, built, or left behind by a run. */
const skipped = new Set([
  "node_modules",
  "dist",
  "dist.new",
  "coverage",
  ".git",
  ".tenfold",
  ".engines",
  ".build",
  "out",
  "assets",
]);
const sourceEnding = /\.(ts|tsx|js)$/;

export interface Tree {
  /** Every text file: path from the root, with `/`, to its text. */
  readonly texts: ReadonlyMap<string, string>;
  /** The parsed sources among them. */
  readonly sources: ReadonlyMap<string, SourceFile>;
}

/** Reads the whole working tree as it stands; a few hundred files, well under a second. */
export function readTree(folder: string = root): Tree {
  const texts = new Map<string, string>();
  for (const path of walk(folder)) {
    const bytes = readFileSync(path);
    if (bytes.subarray(0, 4096).includes(0)) continue;
    texts.set(relative(folder, path).split(sep).join("/"), bytes.toString("utf8"));
  }
  return treeOf(texts);
}

/** A tree from texts alone, which is how the rules are tried on planted violations. */
export function treeOf(texts: ReadonlyMap<string, string>): Tree {
  const sources = new Map<string, SourceFile>();
  for (const [path, text] of texts) {
    if (sourceEnding.test(path)) sources.set(path, sourceFile(path, text));
  }
  return { texts, sources };
}

function* walk(folder: string): Generator<string> {
  const entries = readdirSync(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (skipped.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile() && !entry.name.endsWith(".log")) yield path;
  }
}
