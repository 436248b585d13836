import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Small files that must survive: state, last known maps, secrets. Names are relative paths. */
export interface Storage {
  /** The contents, or undefined when there is no such file. */
  read(name: string): Promise<Uint8Array | undefined>;
  /**
   * Replaces the file as a whole and returns once it is durable: after a crash old or new is there.
   */
  write(name: string, contents: Uint8Array | string): Promise<void>;
  /** Removes the file; harmless when there is none. */
  remove(name: string): Promise<void>;
  /** The names of the files in a folder, sorted; empty when there is no such folder. */
  list(folder: string): Promise<string[]>;
}

/** Files under one root folder; created with mode 0600, folders with 0700. */
export function fileStorage(root: string): Storage {
  return {
    async read(name) {
      return await readFile(join(root, name)).catch(undefinedWhenMissing);
    },
    async write(name, contents) {
      const path = join(root, name);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const temporary = `${path}.${process.pid}.new`;
      const file = await open(temporary, "w", 0o600);
      try {
        await file.writeFile(contents);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
      await syncFolder(dirname(path));
    },
    async remove(name) {
      await rm(join(root, name), { force: true });
    },
    async list(folder) {
      const names = await readdir(join(root, folder)).catch(undefinedWhenMissing);
      return (names ?? []).filter((name) => !name.endsWith(".new")).sort();
    },
  };
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function undefinedWhenMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
  throw error;
}
