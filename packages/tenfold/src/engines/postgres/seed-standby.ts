import { mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { baseBackup } from "./base-backup.ts";
import type { PgClientConfig, PgModule } from "./client.ts";
import { extractTar } from "./tar.ts";

export interface SeedOptions {
  /** The standby's name, its own folder, and the server to copy. */
  readonly name: string;
  readonly folder: string;
  readonly from: PgClientConfig;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes a standby's data by copying a running server. What an interrupted copy left is removed
 * first; `data` appears when the copy is whole.
 *
 * @throws TENFOLD_POSTGRES_BACKUP_FAILED, TENFOLD_POSTGRES_UNAVAILABLE
 */
export async function seedStandby(pg: PgModule, options: SeedOptions): Promise<void> {
  const partial = join(options.folder, "data.partial");
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { mode: 0o700 });
  const { name, from, signal } = options;
  await baseBackup(pg, from, name, (tar) => extractTar(tar, partial), signal);
  await writeFile(join(partial, "standby.signal"), "");
  await rename(partial, join(options.folder, "data"));
  const folder = await open(options.folder, "r");
  await folder.sync().finally(() => folder.close());
}
