import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { root } from "../architecture/tree.ts";
import { apiTexts } from "./api-text.ts";
import { readmeTexts } from "./readme.ts";
import { referenceTexts } from "./reference.ts";

/** Path from the root to the text that the sources ask for. */
export type GeneratedTexts = ReadonlyMap<string, string>;

/** Folders that hold generated files and nothing else. */
const ownFolders = ["api", "docs/reference"] as const;

export async function generatedTexts(): Promise<GeneratedTexts> {
  return new Map([...(await apiTexts()), ...(await referenceTexts()), ...readmeTexts()]);
}

/** The files that are missing, stale, or that nothing generates any more. */
export function drift(texts: GeneratedTexts, folder: string = root): readonly string[] {
  const stale = [...texts].filter(([path, text]) => read(join(folder, path)) !== text);
  return [...stale.map(([path]) => path), ...leftovers(texts, folder)];
}

/** Brings the files up to date and says which ones changed. */
export function update(texts: GeneratedTexts, folder: string = root): readonly string[] {
  const changed = drift(texts, folder);
  for (const path of changed) {
    const text = texts.get(path);
    const file = join(folder, path);
    if (text === undefined) rmSync(file);
    else {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
  }
  return changed;
}

function leftovers(texts: GeneratedTexts, folder: string): string[] {
  return ownFolders.flatMap((own) => {
    const path = join(folder, own);
    if (!existsSync(path)) return [];
    return readdirSync(path)
      .map((name) => `${own}/${name}`)
      .filter((each) => !texts.has(each));
  });
}

function read(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}
