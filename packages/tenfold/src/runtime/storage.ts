import { link, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Small files that must survive: state, last known maps, secrets. Names are relative paths. */
export interface Storage {
  /** The contents, or undefined when there is no such file. */
  read(name: string): Promise<Uint8Array | undefined>;
  /**
   * Replaces the file as a whole and returns once it is durable: after a crash old or new is there.
   */
  write(name: string, contents: Uint8Array | string): Promise<void>;
  /**
   * Makes the file and returns once it is durable; false when there is one already. Of several
   * processes that make the same one at the same time, one succeeds.
   */
  create(name: string, contents: Uint8Array | string): Promise<boolean>;
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
      await rename(await writeTemporary(path, contents), path);
      await syncFolder(dirname(path));
    },
    async create(name, contents) {
      const path = join(root, name);
      const temporary = await writeTemporary(path, contents);
      try {
        await link(temporary, path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
        throw error;
      } finally {
        await rm(temporary, { force: true });
      }
      await syncFolder(dirname(path));
      return true;
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

/** Tells the files apart that one process makes for the same name at the same time. */
let temporaryFiles = 0;

/** The contents, durable, in a file beside `path` that no listing shows. */
async function writeTemporary(path: string, contents: Uint8Array | string): Promise<string> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  temporaryFiles += 1;
  const temporary = `${path}.${process.pid}-${temporaryFiles}.new`;
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(contents);
    await file.sync();
  } catch (error) {
    // On a full disk it would stay in the way, one more at each try.
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  } finally {
    await file.close();
  }
  return temporary;
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
