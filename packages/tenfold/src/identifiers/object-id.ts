import type { Random } from "../runtime/random.ts";
import { idInvalid } from "./id-codec.ts";
import { timeOutOfRange } from "./layout.ts";
import type { LayoutRow } from "./layout-table.ts";

export interface ObjectIdsOptions {
  /** Draws the five bytes of this process and the counter's start. */
  readonly random: Pick<Random, "below">;
}

export interface ObjectIds {
  /**
   * The next id: 24 hexadecimal digits, unique whatever the clock does. Ids of different seconds
   * sort by time; a clock that goes back keeps the second it had.
   *
   * @param wallMs the wall clock's milliseconds, now.
   * @throws TENFOLD_IDENTIFIERS_TIME_OUT_OF_RANGE after 2106-02-07, when 32 bits of seconds end
   */
  next(wallMs: number): string;
}

const range = { name: "object id", epochMs: 0, endMs: 2 ** 32 * 1_000 - 1 };

/** ObjectID as a row of `layoutTable`: its 96 bits fit no bigint column. */
export const objectIdRow: LayoutRow = Object.freeze({
  ...range,
  unitMs: 1_000,
  lowBits: 64,
  fields: Object.freeze([
    { name: "time", bits: 32, max: 2 ** 32 - 1, unit: 2 ** 64 },
    { name: "machine", bits: 24, max: 2 ** 24 - 1, unit: 2 ** 40 },
    { name: "process", bits: 16, max: 2 ** 16 - 1, unit: 2 ** 24 },
    { name: "counter", bits: 24, max: 2 ** 24 - 1, unit: 1 },
  ]),
});
const counters = 2 ** 24;
const triples = Array.from({ length: 4_096 }, (_, n) => n.toString(16).padStart(3, "0"));

/**
 * MongoDB's ObjectId: 4 bytes of Unix seconds, 5 drawn once for this process (once 3 of machine and
 * 2 of process), 3 of a counter from a random start. After 2^24 ids within a second, where the
 * counter would repeat, time moves on by one second.
 *
 * Source: mongodb/specifications, bson-objectid.
 */
export function objectIds({ random }: ObjectIdsOptions): ObjectIds {
  const owner = hex(random.below(2 ** 24), 6) + hex(random.below(2 ** 16), 4);
  let counter = random.below(counters);
  let second = -1;
  let used = 0;
  let kept = { second: -1, upper: -1, text: "" };
  return {
    next(wallMs) {
      const now = Math.floor(wallMs / 1_000);
      // A counter that has gone round once would repeat an id of this second.
      const next = now > second ? now : used === counters ? second + 1 : second;
      if (!(next >= 0 && next < 2 ** 32)) throw timeOutOfRange(wallMs, range);
      used = next === second ? used + 1 : 1;
      second = next;
      const at = counter;
      counter = (counter + 1) % counters;
      const upper = at >>> 12;
      if (second !== kept.second || upper !== kept.upper) {
        kept = { second, upper, text: hex(second, 8) + owner + (triples[upper] as string) };
      }
      return kept.text + (triples[at & 4_095] as string);
    },
  };
}

export interface ObjectIdParts {
  /** Wall-clock milliseconds, of whole seconds. */
  readonly timeMs: number;
  /** Bytes 4 … 6: drawn at random; in old ids a hash of the machine. */
  readonly machine: number;
  /** Bytes 7 and 8: drawn at random; in old ids the process's number. */
  readonly process: number;
  readonly counter: number;
}

/** What an ObjectId says. @throws TENFOLD_IDENTIFIERS_ID_INVALID */
export function decodeObjectId(text: string): ObjectIdParts {
  if (typeof text !== "string" || !/^[0-9a-f]{24}$/i.test(text)) throw idInvalid("id", text);
  const part = (from: number, to: number): number => Number.parseInt(text.slice(from, to), 16);
  return {
    timeMs: part(0, 8) * 1_000,
    machine: part(8, 14),
    process: part(14, 18),
    counter: part(18, 24),
  };
}

/** The smallest ObjectId of that second. @throws TENFOLD_IDENTIFIERS_TIME_OUT_OF_RANGE */
export function firstObjectIdAt(timeMs: number): string {
  return secondAt(timeMs) + "0".repeat(16);
}

/** The largest ObjectId of that second. @throws TENFOLD_IDENTIFIERS_TIME_OUT_OF_RANGE */
export function lastObjectIdAt(timeMs: number): string {
  return secondAt(timeMs) + "f".repeat(16);
}

function secondAt(timeMs: number): string {
  if (timeMs >= 0 && timeMs <= range.endMs) return hex(Math.floor(timeMs / 1_000), 8);
  throw timeOutOfRange(timeMs, range);
}

function hex(value: number, length: number): string {
  return value.toString(16).padStart(length, "0");
}
