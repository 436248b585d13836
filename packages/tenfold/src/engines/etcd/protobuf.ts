/**
 * Protocol Buffers for the field kinds that etcd's messages use, driven by tables. Unknown fields
 * are passed over, absent ones decode to their proto3 default, and defaults are not written: an
 * explicitly empty `range_end` would mean "to the end" to etcd 3.4.
 */
type Scalar = "int64" | "uint64" | "int32" | "bool" | "bytes" | "string";

/** One field: its number, its kind, and, in types only, what it decodes to and is encoded from. */
export interface Field<Out, In> {
  readonly number: number;
  readonly kind: Scalar | Fields;
  readonly repeated: boolean;
  readonly types?: { readonly out: Out; readonly in: In };
}

export interface Fields {
  readonly [name: string]: Field<unknown, unknown>;
}

/** What `decode` gives: every field is there. */
export type Decoded<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Field<infer Out, infer _> ? Out : never;
};

/** What `encode` takes: any fields. */
export type Encodable<F extends Fields> = {
  readonly [K in keyof F]?: (F[K] extends Field<infer _, infer In> ? In : never) | undefined;
};

export const int64 = (number: number): Field<bigint, bigint> => scalar(number, "int64");
export const uint64 = (number: number): Field<bigint, bigint> => scalar(number, "uint64");
/** Also enums. */
export const int32 = (number: number): Field<number, number> => scalar(number, "int32");
export const bool = (number: number): Field<boolean, boolean> => scalar(number, "bool");
export const bytes = (number: number): Field<Uint8Array, Uint8Array> => scalar(number, "bytes");
export const string = (number: number): Field<string, string> => scalar(number, "string");

export function message<F extends Fields>(
  number: number,
  kind: F,
): Field<Decoded<F> | undefined, Encodable<F>> {
  return { number, kind, repeated: false };
}

export function repeatedMessage<F extends Fields>(
  number: number,
  kind: F,
): Field<readonly Decoded<F>[], readonly Encodable<F>[]> {
  return { number, kind, repeated: true };
}

export function repeatedBytes(number: number): Field<readonly Uint8Array[], readonly Uint8Array[]> {
  return { number, kind: "bytes", repeated: true };
}

export function repeatedString(number: number): Field<readonly string[], readonly string[]> {
  return { number, kind: "string", repeated: true };
}

/** Packed, as proto3 writes it; read in both forms. */
export function repeatedInt32(number: number): Field<readonly number[], readonly number[]> {
  return { number, kind: "int32", repeated: true };
}

function scalar<T>(number: number, kind: Scalar): Field<T, T> {
  return { number, kind, repeated: false };
}

const varint = 0;
const fixed64 = 1;
const lengthDelimited = 2;
const fixed32 = 5;

const fromText = new TextDecoder();

export function encode<F extends Fields>(fields: F, value: Encodable<F>): Uint8Array {
  at = 0;
  writeMessage(fields, value);
  const encoded = Buffer.allocUnsafe(at);
  encoded.set(scratch.subarray(0, at));
  if (scratch.length > scratchBytes) scratch = Buffer.allocUnsafe(scratchBytes);
  return encoded;
}

const scratchBytes = 65_536;
/** One message at a time is written here, nested ones inside it; `at` is the end so far. */
let scratch = Buffer.allocUnsafe(scratchBytes);
let at = 0;

function reserve(bytes: number): void {
  if (at + bytes <= scratch.length) return;
  const larger = Buffer.allocUnsafe(Math.max(scratch.length * 2, at + bytes));
  larger.set(scratch.subarray(0, at));
  scratch = larger;
}

function writeMessage(fields: Fields, value: object): void {
  for (const name in fields) {
    const given = (value as Record<string, unknown>)[name];
    if (given === undefined) continue;
    const field = fields[name] as Field<unknown, unknown>;
    if (!field.repeated) writeField(field, given, typeof field.kind === "object");
    else if (field.kind === "int32") writePacked(field.number, given as readonly number[]);
    else for (const one of given as readonly unknown[]) writeField(field, one, true);
  }
}

function writeField(field: Field<unknown, unknown>, value: unknown, always: boolean): void {
  const { kind, number } = field;
  if (typeof kind === "object") {
    writeNested(number, () => writeMessage(kind, value as object));
    return;
  }
  if (kind === "bytes") writeBytes(number, value as Uint8Array, always);
  else if (kind === "string") writeBytes(number, Buffer.from(value as string), always);
  else if (value !== 0n && value !== 0 && value !== false) {
    writeVarint((number << 3) | varint);
    writeVarint(typeof value === "boolean" ? 1 : (value as bigint | number));
  }
}

function writeBytes(number: number, value: Uint8Array, always: boolean): void {
  if (value.length === 0 && !always) return;
  writeVarint((number << 3) | lengthDelimited);
  writeVarint(value.length);
  reserve(value.length);
  scratch.set(value, at);
  at += value.length;
}

/** What `write` writes, with its length before it: a byte is left for it, more are made. */
function writeNested(number: number, write: () => void): void {
  writeVarint((number << 3) | lengthDelimited);
  reserve(1);
  const start = ++at;
  write();
  const end = at;
  const length = end - start;
  if (length < 0x80) {
    scratch[start - 1] = length;
    return;
  }
  const more = Math.ceil(Math.log2(length + 1) / 7) - 1;
  reserve(more);
  scratch.copyWithin(start + more, start, end);
  at = start - 1;
  writeVarint(length);
  at = end + more;
}

function writePacked(number: number, values: readonly number[]): void {
  if (values.length === 0) return;
  writeNested(number, () => {
    for (const value of values) writeVarint(value);
  });
}

function writeVarint(value: bigint | number): void {
  reserve(10);
  let low: number;
  if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) low = Number(value);
  else {
    let high = BigInt.asUintN(64, BigInt(value));
    while (high > 0xffff_ffffn) {
      scratch[at++] = Number(high & 0x7fn) | 0x80;
      high >>= 7n;
    }
    low = Number(high);
  }
  while (low > 0x7f) {
    scratch[at++] = (low & 0x7f) | 0x80;
    low = Math.floor(low / 128);
  }
  scratch[at++] = low;
}

/** @throws RangeError when the bytes are no such message */
export function decode<F extends Fields>(fields: F, from: Uint8Array): Decoded<F> {
  const table = tableOf(fields);
  const result = { ...table.defaults };
  const reader = { from, at: 0 };
  while (reader.at < from.length) {
    const key = Number(readVarint(reader));
    const wireType = key & 7;
    const known = table.byNumber.get(key >>> 3);
    if (known === undefined) skip(reader, wireType);
    else readField(reader, wireType, known, result);
  }
  return result as Decoded<F>;
}

interface Reader {
  readonly from: Uint8Array;
  at: number;
}

interface Known {
  readonly name: string;
  readonly field: Field<unknown, unknown>;
}

function readField(
  reader: Reader,
  wireType: number,
  { name, field }: Known,
  into: Record<string, unknown>,
): void {
  const isBytes =
    typeof field.kind === "object" || field.kind === "bytes" || field.kind === "string";
  if (field.repeated && !isBytes && wireType === lengthDelimited) {
    const packed = { from: readBytes(reader), at: 0 };
    while (packed.at < packed.from.length) {
      add(into, name, numberOf(field.kind as Scalar, readVarint(packed)));
    }
    return;
  }
  if (wireType !== (isBytes ? lengthDelimited : varint)) {
    throw new RangeError(`Field ${name} came with wire type ${wireType}.`);
  }
  const value = isBytes
    ? bytesOf(field.kind, readBytes(reader))
    : numberOf(field.kind as Scalar, readVarint(reader));
  if (field.repeated) add(into, name, value);
  else into[name] = value;
}

/** The default of a repeated field is one array for all messages. */
function add(into: Record<string, unknown>, name: string, value: unknown): void {
  if (into[name] === noItems) into[name] = [value];
  else (into[name] as unknown[]).push(value);
}

function bytesOf(kind: Scalar | Fields, value: Uint8Array): unknown {
  if (typeof kind === "object") return decode(kind, value);
  return kind === "string" ? fromText.decode(value) : value;
}

function numberOf(kind: Scalar, value: number | bigint): unknown {
  if (kind === "bool") return Number(value) !== 0;
  if (kind === "uint64") return BigInt(value);
  if (kind === "int32" && typeof value === "number" && value < 2 ** 31) return value;
  return kind === "int64"
    ? BigInt.asIntN(64, BigInt(value))
    : Number(BigInt.asIntN(32, BigInt(value)));
}

/** A number while it fits into one: most are keys and lengths. */
function readVarint(reader: Reader): number | bigint {
  let low = 0;
  let scale = 1;
  for (let read = 0; read < 7; read++) {
    const byte = nextByte(reader);
    low += (byte & 0x7f) * scale;
    if (byte < 0x80) return low;
    scale *= 128;
  }
  let value = BigInt(low);
  for (let shift = 49n; shift < 70n; shift += 7n) {
    const byte = nextByte(reader);
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return BigInt.asUintN(64, value);
  }
  throw new RangeError("A varint is longer than ten bytes.");
}

function nextByte(reader: Reader): number {
  const byte = reader.from[reader.at++];
  if (byte === undefined) throw new RangeError("The message ends inside a field.");
  return byte;
}

function readBytes(reader: Reader): Uint8Array {
  const length = Number(readVarint(reader));
  if (length > reader.from.length - reader.at) {
    throw new RangeError("The message ends inside a field.");
  }
  const start = reader.at;
  reader.at += length;
  return reader.from.subarray(start, reader.at);
}

function skip(reader: Reader, wireType: number): void {
  if (wireType === varint) readVarint(reader);
  else if (wireType === lengthDelimited) readBytes(reader);
  else if (wireType === fixed64) reader.at += 8;
  else if (wireType === fixed32) reader.at += 4;
  else throw new RangeError(`Wire type ${wireType} is not supported.`);
  if (reader.at > reader.from.length) throw new RangeError("The message ends inside a field.");
}

interface Table {
  readonly byNumber: ReadonlyMap<number, Known>;
  readonly defaults: Record<string, unknown>;
}

const tables = new WeakMap<Fields, Table>();

function tableOf(fields: Fields): Table {
  const known = tables.get(fields);
  if (known !== undefined) return known;
  const byNumber = new Map<number, Known>();
  const defaults: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    byNumber.set(field.number, { name, field });
    defaults[name] = field.repeated ? noItems : defaultOf(field.kind);
  }
  const table = { byNumber, defaults };
  tables.set(fields, table);
  return table;
}

const noBytes = new Uint8Array(0);
const noItems: readonly unknown[] = Object.freeze([]);

function defaultOf(kind: Scalar | Fields): unknown {
  if (typeof kind === "object") return undefined;
  if (kind === "bytes") return noBytes;
  if (kind === "string") return "";
  if (kind === "bool") return false;
  return kind === "int32" ? 0 : 0n;
}
