import { closeSync, fdatasync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { promisify } from "node:util";

import { TenfoldError } from "../../runtime/errors.ts";

const blockBytes = 512;
const flush = promisify(fdatasync);
// Several flushes at once share the disk's trips: four times as fast as one after the other.
const flushesMax = 8;

/**
 * Writes the files of a tar stream (ustar, as PostgreSQL sends it) below `folder`, each flushed to
 * disk. Only files and folders with paths inside `folder` are taken.
 *
 * @throws TENFOLD_POSTGRES_BACKUP_FAILED on a broken stream
 */
export async function extractTar(chunks: AsyncIterable<Uint8Array>, folder: string): Promise<void> {
  const input = blockReader(chunks);
  const folders = new Set<string>();
  const flushing = boundedWork(flushesMax);
  for (;;) {
    const header = await input.take(blockBytes);
    if (header === undefined || header.every((byte) => byte === 0)) break;
    const entry = parseHeader(header);
    const path = join(folder, entry.path);
    if (entry.type === "folder") {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      continue;
    }
    if (!folders.has(dirname(path))) {
      folders.add(dirname(path));
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    }
    const file = openSync(path, "w", 0o600);
    try {
      // A piece goes to the page cache in microseconds; a trip to another thread takes longer.
      for await (const piece of input.pieces(entry.bytes)) writeFileSync(file, piece);
    } finally {
      await flushing.add(flush(file).finally(() => closeSync(file)));
    }
    await input.take((blockBytes - (entry.bytes % blockBytes)) % blockBytes);
  }
  await flushing.done();
  // What follows the end mark is padding; the sender must be heard to its end all the same.
  await input.drain();
}

interface Entry {
  readonly path: string;
  readonly type: "file" | "folder";
  readonly bytes: number;
}

function parseHeader(header: Uint8Array): Entry {
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
  if (octal(header, 148, 8) !== sum) throw broken("a header's checksum is wrong");
  const prefix = text(header, 345, 155);
  const name = text(header, 0, 100);
  const path = normalize(prefix === "" ? name : `${prefix}/${name}`);
  if (path.startsWith("/") || path.split("/").includes("..")) throw broken(`a file named ${path}`);
  const type = text(header, 156, 1);
  if (type === "5") return { path, type: "folder", bytes: 0 };
  if (type === "0" || type === "") return { path, type: "file", bytes: size(header) };
  throw broken(`${path} is neither file nor folder (type ${type})`);
}

function size(header: Uint8Array): number {
  // Sizes from 8 GiB on are binary, marked by the highest bit.
  if (((header[124] as number) & 0x80) === 0) return octal(header, 124, 12);
  return header.subarray(125, 136).reduce((total, byte) => total * 256 + byte, 0);
}

function octal(header: Uint8Array, from: number, length: number): number {
  return Number.parseInt(text(header, from, length).trim() || "0", 8);
}

function text(header: Uint8Array, from: number, length: number): string {
  const field = Buffer.from(header.subarray(from, from + length)).toString("utf8");
  const end = field.indexOf("\0");
  return end < 0 ? field : field.slice(0, end);
}

function blockReader(chunks: AsyncIterable<Uint8Array>) {
  const iterator = chunks[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);
  const more = async (): Promise<boolean> => {
    while (rest.length === 0) {
      const next = await iterator.next();
      if (next.done) return false;
      rest = next.value;
    }
    return true;
  };
  async function* pieces(bytes: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let left = bytes; left > 0; ) {
      if (!(await more())) throw broken(`it ends ${left} bytes early`);
      const piece = rest.subarray(0, left);
      rest = rest.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }
  return {
    pieces,
    /** Exactly so many bytes; undefined when the stream is at its end. */
    async take(bytes: number): Promise<Uint8Array | undefined> {
      if (bytes > 0 && !(await more())) return undefined;
      const taken: Uint8Array[] = [];
      for await (const piece of pieces(bytes)) taken.push(piece);
      return Buffer.concat(taken);
    },
    async drain(): Promise<void> {
      do rest = new Uint8Array(0);
      while (await more());
    },
  };
}

/** Lets so many pieces of work run side by side; the first failure is thrown at the next call. */
function boundedWork(max: number) {
  const running = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  const room = async (limit: number): Promise<void> => {
    while (running.size > limit) await Promise.race(running);
    if (failure !== undefined) throw failure.error;
  };
  return {
    add(work: Promise<void>): Promise<void> {
      const tracked: Promise<void> = work
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => running.delete(tracked));
      running.add(tracked);
      return room(max - 1);
    },
    done: (): Promise<void> => room(0),
  };
}

function broken(what: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_POSTGRES_BACKUP_FAILED",
    `The base backup cannot be unpacked: ${what}.`,
  );
}
