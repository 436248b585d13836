import { constants } from "node:fs";
import { type FileHandle, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/** What the journal needs of a folder; tests hand in one that fails and forgets. */
export interface LogFolder {
  /** The whole file, or undefined when there is none. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Opens for writing; makes the file when it is not there. */
  open(name: string): Promise<LogFile>;
  /** Puts `by` in the place of `name`: after a crash it is one or the other. */
  rename(by: string, name: string): Promise<void>;
  /** Resolves when the names in the folder are on disk. */
  sync(): Promise<void>;
  remove(name: string): Promise<void>;
}

export interface LogFile {
  /** Resolves when the bytes are on disk; after a rejection any part of them may be there. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/** A folder of the file system. */
export function logFolder(folder: string): LogFolder {
  return {
    async read(name) {
      try {
        return await readFile(join(folder, name));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      }
    },
    async open(name) {
      // A write returns when its bytes are on disk: one call of the system instead of two.
      const flags = constants.O_RDWR | constants.O_CREAT | constants.O_DSYNC;
      return logFile(await open(join(folder, name), flags, 0o600));
    },
    rename: (by, name) => rename(join(folder, by), join(folder, name)),
    async sync() {
      const entries = await open(folder, "r");
      await entries.sync().finally(() => entries.close());
    },
    remove: (name) => rm(join(folder, name), { force: true }),
  };
}

function logFile(file: FileHandle): LogFile {
  return {
    async write(bytes, position) {
      for (let written = 0; written < bytes.length; ) {
        const left = bytes.length - written;
        const { bytesWritten } = await file.write(bytes, written, left, position + written);
        written += bytesWritten;
      }
    },
    truncate: (length) => file.truncate(length),
    close: () => file.close(),
  };
}
