import { closeSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";

/** A run of consecutive ids takes 16 bytes of a log: the first one, and how many. */
const runBytes = 16;

/** Writes down every id that counts as made: what is in the log was handed out. */
export interface RunLog {
  add(id: bigint): void;
  /** To the file; ids that were not flushed were never handed out. */
  flush(): void;
  close(): void;
}

/** @param name begins with the worker's number and "-" */
export function openRunLog(folder: string, name: string, runsMax = 4_096): RunLog {
  const file = openSync(join(folder, `${name}.runs`), "ax");
  const buffer = new BigInt64Array(2 * runsMax);
  let runs = 0;
  let next = -1n;
  const flush = (): void => {
    if (runs > 0) writeSync(file, new Uint8Array(buffer.buffer, 0, runs * runBytes));
    runs = 0;
    next = -1n;
  };
  return {
    add(id) {
      if (id !== next) {
        if (runs === runsMax) flush();
        buffer[2 * runs] = id;
        buffer[2 * runs + 1] = 0n;
        runs += 1;
      }
      buffer[2 * runs - 1] = (buffer[2 * runs - 1] as bigint) + 1n;
      next = id + 1n;
    },
    flush,
    close() {
      flush();
      closeSync(file);
    },
  };
}

export interface IdVerdict {
  readonly ids: number;
  readonly duplicates: number;
  /** Ids of one maker that were not greater than the one before. */
  readonly outOfOrder: number;
  /** Makers of one worker number whose ids lie among each other's. */
  readonly interleaved: number;
  readonly workers: number;
  readonly logs: number;
}

/** Reads all logs of a folder and looks for ids that were made twice, or out of order. */
export function judgeRuns(folder: string): IdVerdict {
  const names = readdirSync(folder).filter((name) => name.endsWith(".runs"));
  const runs: { first: bigint; count: bigint }[] = [];
  const spans = new Map<string, { from: bigint; to: bigint }[]>();
  let ids = 0n;
  let outOfOrder = 0;
  for (const name of names) {
    const bytes = readFileSync(join(folder, name));
    let from: bigint | undefined;
    let end = -1n;
    for (let at = 0; at + runBytes <= bytes.length; at += runBytes) {
      const [first, count] = [bytes.readBigInt64LE(at), bytes.readBigInt64LE(at + 8)];
      if (first < end) outOfOrder += 1;
      from ??= first;
      end = first + count;
      ids += count;
      runs.push({ first, count });
    }
    if (from === undefined) continue;
    const [worker = ""] = name.split("-");
    spans.set(worker, [...(spans.get(worker) ?? []), { from, to: end }]);
  }
  const duplicates = overlap(runs.map(({ first, count }) => ({ from: first, to: first + count })));
  const interleaved = [...spans.values()].map((each) => (overlap(each) > 0n ? 1 : 0));
  return {
    ids: Number(ids),
    duplicates: Number(duplicates),
    outOfOrder,
    interleaved: interleaved.reduce<number>((sum, one) => sum + one, 0),
    workers: spans.size,
    logs: names.length,
  };
}

/** How many numbers lie in more than one of the spans [from, to), counted again for each. */
function overlap(spans: { from: bigint; to: bigint }[]): bigint {
  spans.sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
  let end = 0n;
  let twice = 0n;
  for (const { from, to } of spans) {
    if (from < end) twice += (to < end ? to : end) - from;
    if (to > end) end = to;
  }
  return twice;
}
