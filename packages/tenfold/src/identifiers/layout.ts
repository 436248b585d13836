import { TenfoldError } from "../runtime/errors.ts";
import { numberOption } from "../runtime/options.ts";
import { idInvalid } from "./id-codec.ts";

export interface IdLayoutDeclaration<Field extends string> {
  /** What messages and tables call it. */
  readonly name: string;
  /** Where its time begins, in wall-clock milliseconds since 1970: 0 … 2^52. */
  readonly epochMs: number;
  /** Milliseconds that one step of the time field stands for: 1 … 86,400,000. Default 1. */
  readonly unitMs?: number;
  /**
   * The width of each field, highest first: `time` first, so that ids sort by it, and `sequence`
   * last, so that neighbours are consecutive. At most 63 together.
   */
  readonly bits: Readonly<Record<Field | "time" | "sequence", number>>;
}

/** What an id says: its time in wall-clock milliseconds, and its other fields. */
export type IdFields<Field extends string> = { readonly timeMs: number } & Readonly<
  Record<Exclude<Field, "time">, number>
>;

export interface LayoutField {
  readonly name: string;
  readonly bits: number;
  /** Its greatest value. */
  readonly max: number;
  /** What one step of it adds to the id; of `time` see `lowBits`. */
  readonly unit: number;
}

/** Where the fields of an id stand, checked. */
export interface IdLayout<Field extends string = string> {
  readonly name: string;
  readonly epochMs: number;
  readonly unitMs: number;
  /** The last millisecond that an id can carry. */
  readonly endMs: number;
  /** All bits: 63 at most, the sign bit of a signed column stays 0. */
  readonly bits: number;
  /** The bits below the time. */
  readonly lowBits: number;
  /** All fields, highest first. */
  readonly fields: readonly LayoutField[];
  /** @throws TENFOLD_OPTION_INVALID, TENFOLD_IDENTIFIERS_TIME_OUT_OF_RANGE */
  encode(fields: IdFields<Field>): bigint;
  /**
   * @param options.notAfterMs refuse ids that are later than this: say, the clock and 10 s.
   * @throws TENFOLD_IDENTIFIERS_ID_INVALID, TENFOLD_IDENTIFIERS_ID_FROM_FUTURE
   */
  decode(id: bigint, options?: { readonly notAfterMs?: number }): IdFields<Field>;
  /** The smallest id of that time. @throws TENFOLD_IDENTIFIERS_TIME_OUT_OF_RANGE */
  firstIdAt(timeMs: number): bigint;
  /** The largest id of that time. @throws TENFOLD_IDENTIFIERS_TIME_OUT_OF_RANGE */
  lastIdAt(timeMs: number): bigint;
  /** Steps of the time field since the epoch. @throws TENFOLD_IDENTIFIERS_TIME_OUT_OF_RANGE */
  tickAt(timeMs: number): number;
}

/** What `Date` can tell, and exact as a number. */
const timeMsMax = 8_640_000_000_000_000;

/**
 * A layout for 64-bit ids. Its fields sum up to at most 63 bits: the 64th is the sign in every
 * database's bigint.
 *
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_IDENTIFIERS_LAYOUT_INVALID
 */
export function idLayout<const Field extends string>(
  declaration: IdLayoutDeclaration<Field>,
): IdLayout<Field | "time" | "sequence"> {
  const { name, epochMs, unitMs = 1 } = declaration;
  const fields = checkedFields(declaration);
  const bits = fields.reduce((sum, field) => sum + field.bits, 0);
  const time = fields[0] as LayoutField;
  const below = fields.slice(1);
  const lowBits = bits - time.bits;
  const shift = BigInt(lowBits);
  const lowMask = (1n << shift) - 1n;
  const idMax = (1n << BigInt(bits)) - 1n;
  const endMs = Math.min(epochMs + (time.max + 1) * unitMs - 1, timeMsMax);

  const tickAt = (timeMs: number): number => {
    if (Number.isInteger(timeMs) && timeMs >= epochMs && timeMs <= endMs) {
      return Math.floor((timeMs - epochMs) / unitMs);
    }
    throw timeOutOfRange(timeMs, { name, epochMs, endMs });
  };
  const firstIdAt = (timeMs: number): bigint => BigInt(tickAt(timeMs)) << shift;
  return {
    name,
    epochMs,
    unitMs,
    endMs,
    bits,
    lowBits,
    fields,
    encode(values) {
      const known = values as Readonly<Record<string, number>>;
      return firstIdAt(values.timeMs) + BigInt(lowPart(below, known));
    },
    decode(id, { notAfterMs = endMs } = {}) {
      if (typeof id !== "bigint" || id < 0n || id > idMax) throw idInvalid("id", id, idMax);
      const timeMs = Number(id >> shift) * unitMs + epochMs;
      if (timeMs > Math.min(notAfterMs, endMs)) throw fromFuture(id, timeMs, notAfterMs);
      const low = Number(id & lowMask);
      const values: Record<string, number> = { timeMs };
      for (const { name: field, unit, max } of below) {
        values[field] = Math.floor(low / unit) % (max + 1);
      }
      return values as unknown as IdFields<Field | "time" | "sequence">;
    },
    firstIdAt,
    lastIdAt: (timeMs) => firstIdAt(timeMs) | lowMask,
    tickAt,
  };
}

/** The bits below the time as one number. @throws TENFOLD_OPTION_INVALID naming the field */
export function lowPart(
  fields: readonly LayoutField[],
  values: Readonly<Record<string, unknown>>,
): number {
  return fields.reduce((sum, { name, max, unit }) => {
    return sum + numberOption(name, values[name], { min: 0, max }) * unit;
  }, 0);
}

export function timeOutOfRange(
  timeMs: number,
  { name, epochMs, endMs }: Pick<IdLayout, "name" | "epochMs" | "endMs">,
): TenfoldError {
  return new TenfoldError(
    "TENFOLD_IDENTIFIERS_TIME_OUT_OF_RANGE",
    `The time of ${name} ids must be a whole millisecond from ${epochMs} to ${endMs}, ` +
      `got ${timeMs}. Check the clock and the epoch.`,
    { details: { layout: name, timeMs, epochMs, endMs } },
  );
}

function fromFuture(id: bigint, timeMs: number, notAfterMs: number): TenfoldError {
  return new TenfoldError(
    "TENFOLD_IDENTIFIERS_ID_FROM_FUTURE",
    `The id ${id} carries the time ${timeMs}, which is later than ${notAfterMs}.`,
    { details: { id: id.toString(), timeMs, notAfterMs } },
  );
}

function checkedFields(declaration: IdLayoutDeclaration<string>): LayoutField[] {
  const { name, epochMs, unitMs = 1, bits } = declaration;
  const wrong = (what: string): TenfoldError =>
    new TenfoldError(
      "TENFOLD_IDENTIFIERS_LAYOUT_INVALID",
      `The layout ${JSON.stringify(name)} ${what}.`,
      { details: { layout: name, bits } },
    );
  const within = (value: unknown, min: number, max: number): boolean =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
  numberOption("epochMs", epochMs, { min: 0, max: 2 ** 52 });
  numberOption("unitMs", unitMs, { min: 1, max: 86_400_000 });
  const entries = Object.entries(bits);
  const shown = entries.map(([field, width]) => `${field} ${width}`).join(" + ");
  if (entries[0]?.[0] !== "time" || entries.at(-1)?.[0] !== "sequence") {
    throw wrong(`must begin with time and end with sequence, got ${shown}`);
  }
  for (const [field, width] of entries) {
    const [min, max] = field === "time" ? [10, 53] : [1, 32];
    if (within(width, min, max)) continue;
    throw wrong(`gives ${field} ${width} bits; it can have ${min} … ${max}`);
  }
  const sum = entries.reduce((total, [, width]) => total + width, 0);
  if (sum > 63) throw wrong(`has ${sum} bits, 63 are the most: ${shown}`);
  let unit = 2 ** sum;
  return entries.map(([field, width]) => {
    unit /= 2 ** width;
    return { name: field, bits: width, max: 2 ** width - 1, unit };
  });
}
