import { existsSync } from "node:fs";
import { join, posix } from "node:path";

import { root, type Tree } from "./tree.ts";

/** Links between our pages, and from pages to files, lead somewhere. */
export function brokenLinks(
  tree: Tree,
  exists: (path: string) => boolean = (path) => existsSync(join(root, path)),
): string[] {
  const found: string[] = [];
  for (const [path, text] of tree.texts) {
    if (!path.endsWith(".md")) continue;
    for (const [, link = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      const [target = ""] = link.split("#");
      if (target === "" || /^[a-z]+:/.test(target)) continue;
      if (!exists(posix.join(posix.dirname(path), target))) {
        found.push(`${path} links to ${target}, which is not there.`);
      }
    }
  }
  return found;
}

/** Every experiment has its requirement's row, and that row links to it. */
export function unlistedExperiments(tree: Tree): string[] {
  const table = tree.texts.get("docs/requirements.md") ?? "";
  const found: string[] = [];
  for (const path of tree.sources.keys()) {
    const number = /^lab\/r0*(\d+)-[\w-]+\.ts$/.exec(path)?.[1];
    if (number === undefined) continue;
    const row = table.split("\n").find((line) => line.startsWith(`| R${number} |`));
    if (row?.includes(`(../${path})`)) continue;
    found.push(`${path}: the row R${number} of docs/requirements.md does not link to it.`);
  }
  return found;
}
