import { readdir, readFile } from "node:fs/promises";
import { extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
  /** Its name changes with its content, so a browser may keep it. */
  readonly immutable: boolean;
}

/** The same from `src` and from `dist`. */
export const assetsFolder: string = fileURLToPath(new URL("../../assets/", import.meta.url));

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};
const filesMax = 50;

/** The built page by URL path, read once; empty when it was not built. */
export async function loadAssets(folder: string): Promise<ReadonlyMap<string, Asset>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const assets = new Map<string, Asset>();
  for (const entry of entries.filter((one) => one.isFile()).slice(0, filesMax)) {
    const file = join(entry.parentPath, entry.name);
    const path = `/${relative(folder, file)}`;
    const type = types[extname(file)];
    if (type === undefined) continue;
    const immutable = path.startsWith("/assets/");
    assets.set(path === "/index.html" ? "/" : path, {
      type,
      body: await readFile(file),
      immutable,
    });
  }
  return assets;
}
