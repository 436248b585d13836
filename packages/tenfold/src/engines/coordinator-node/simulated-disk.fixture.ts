import type { LogFile, LogFolder } from "./log-folder.ts";

/** What a disk may do at one write: refuse it, or lose power before, within or after it. */
export type DiskFault = { readonly refuse: string } | { readonly crashAfterBytes: number };

/** A folder in memory that can lose power at any of its operations. */
export interface SimulatedDisk {
  readonly storage: LogFolder;
  /** How many operations that change it were made. */
  readonly operations: number;
  /** At the operation with this number, counted from 0. */
  fault: { readonly at: number; readonly fault: DiskFault } | undefined;
  /** The files as they are found after a start. */
  readonly files: Map<string, Uint8Array>;
}

export class PowerCut extends Error {}

/**
 * Writes are on disk when they resolve, as with O_DSYNC. Names are on disk only after `sync`: a
 * crash brings back what they stood for before, if `forgetsNames`.
 */
export function simulatedDisk(
  initial: ReadonlyMap<string, Uint8Array> = new Map(),
  forgetsNames = false,
): SimulatedDisk {
  const files = new Map(initial);
  let synced = new Map(initial);
  let operations = 0;
  let isOff = false;

  /** Counts the operation; returns how many of its bytes are written, and what it then throws. */
  const step = (bytes: number): { bytes: number; error?: Error } => {
    if (isOff) return { bytes: 0, error: new PowerCut() };
    const { fault, at } = disk.fault ?? {};
    if (operations++ !== at || fault === undefined) return { bytes };
    if ("refuse" in fault) {
      const error = Object.assign(new Error(fault.refuse), { code: fault.refuse });
      return { bytes: Math.floor(bytes / 2), error };
    }
    isOff = true;
    return { bytes: Math.min(bytes, fault.crashAfterBytes), error: new PowerCut() };
  };
  const fail = (error: Error): never => {
    if (isOff && forgetsNames) {
      files.clear();
      for (const [name, bytes] of synced) files.set(name, bytes);
    }
    throw error;
  };
  const all = async (work: () => void): Promise<void> => {
    const { bytes, error } = step(1);
    if (bytes > 0) work();
    if (error !== undefined) fail(error);
  };
  const open = (name: string): LogFile => {
    // The file, not its name: it may be renamed while it is open.
    let content = files.get(name) ?? new Uint8Array(0);
    const put = (next: Uint8Array): void => {
      for (const names of [files, synced]) {
        for (const [each, bytes] of names) if (bytes === content) names.set(each, next);
      }
      content = next;
    };
    if (!files.has(name)) files.set(name, content);
    return {
      async write(bytes, position) {
        const { bytes: written, error } = step(bytes.length);
        const next = new Uint8Array(Math.max(content.length, position + written));
        next.set(content);
        next.set(bytes.subarray(0, written), position);
        if (written > 0) put(next);
        if (error !== undefined) fail(error);
      },
      truncate: (length) => all(() => put(content.slice(0, length))),
      close: async () => {},
    };
  };
  const storage: LogFolder = {
    read: async (name) => files.get(name),
    async open(name) {
      const { error } = step(1);
      if (error !== undefined) fail(error);
      return open(name);
    },
    rename: (by, name) =>
      all(() => {
        files.set(name, files.get(by) as Uint8Array);
        files.delete(by);
      }),
    sync: () =>
      all(() => {
        synced = new Map(files);
      }),
    remove: (name) => all(() => void files.delete(name)),
  };
  const disk: SimulatedDisk = {
    storage,
    get operations() {
      return operations;
    },
    fault: undefined,
    files,
  };
  return disk;
}
