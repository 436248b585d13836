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
  writeMessage(tableOf(fields), value);
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

function writeMessage({ entries }: Table, value: object): void {
  for (const entry of entries) {
    const given = (value as Record<string, unknown>)[entry.name];
    if (given === undefined) continue;
    if (!entry.repeated) writeField(entry, given, entry.nested !== undefined);
    else if (entry.kind === "int32") writePacked(entry.number, given as readonly number[]);
    else for (const one of given as readonly unknown[]) writeField(entry, one, true);
  }
}

function writeField({ kind, number, nested }: Entry, value: unknown, always: boolean): void {
  if (nested !== undefined) {
    const start = beginNested(number);
    writeMessage(nested, value as object);
    endNested(start);
  } else if (kind === "bytes") writeBytes(number, value as Uint8Array, always);
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

/** What is written from here on has its length before it: a byte is left for it. */
function beginNested(number: number): number {
  writeVarint((number << 3) | lengthDelimited);
  reserve(1);
  return ++at;
}

/** @param start from `beginNested`; a length of more than one byte is made room for */
function endNested(start: number): void {
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
  const start = beginNested(number);
  for (const value of values) writeVarint(value);
  endNested(start);
}

function writeVarint(value: bigint | number): void {
  reserve(10);
  let low: number;
  if (typeof value === "number" && value >= 0) low = value;
  else {
    wide.setBigInt64(0, BigInt(value));
    let high = wide.getUint32(0);
    low = wide.getUint32(4);
    while (high > 0) {
      scratch[at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
  }
  while (low > 0x7f) {
    scratch[at++] = (low & 0x7f) | 0x80;
    low = Math.floor(low / 128);
  }
  scratch[at++] = low;
}

/** Through it a number of 64 bits becomes two, which are quicker to work with. */
const wide = new DataView(new ArrayBuffer(8));

/** @throws RangeError when the bytes are no such message */
export function decode<F extends Fields>(fields: F, from: Uint8Array): Decoded<F> {
  const reader = { from, at: 0, end: from.length };
  return readMessage(tableOf(fields), reader) as Decoded<F>;
}

/** What is read ends at `end`. */
interface Reader {
  readonly from: Uint8Array;
  at: number;
  end: number;
}

function readMessage(table: Table, reader: Reader): Record<string, unknown> {
  const result = { ...table.defaults };
  while (reader.at < reader.end) {
    const key = Number(readVarint(reader));
    const known = table.byNumber[key >>> 3];
    if (known === undefined) skip(reader, key & 7);
    else readField(reader, key & 7, known, result);
  }
  return result;
}

function readField(
  reader: Reader,
  wireType: number,
  { name, kind, repeated, nested }: Entry,
  into: Record<string, unknown>,
): void {
  const isBytes = nested !== undefined || kind === "bytes" || kind === "string";
  if (repeated && !isBytes && wireType === lengthDelimited) {
    const outer = within(reader);
    while (reader.at < reader.end) add(into, name, numberOf(kind, readVarint(reader)));
    reader.end = outer;
    return;
  }
  if (wireType !== (isBytes ? lengthDelimited : varint)) {
    throw new RangeError(`Field ${name} came with wire type ${wireType}.`);
  }
  const value = isBytes
    ? bytesOf(reader, kind, nested)
    : numberOf(kind as Scalar, readVarint(reader));
  if (repeated) add(into, name, value);
  else into[name] = value;
}

/** Bounds the reader to what a length says, without a copy; @returns its end until then */
function within(reader: Reader): number {
  const length = Number(readVarint(reader));
  const outer = reader.end;
  if (length > outer - reader.at) throw new RangeError("The message ends inside a field.");
  reader.end = reader.at + length;
  return outer;
}

/** The default of a repeated field is one array for all messages. */
function add(into: Record<string, unknown>, name: string, value: unknown): void {
  if (into[name] === noItems) into[name] = [value];
  else (into[name] as unknown[]).push(value);
}

function bytesOf(reader: Reader, kind: Entry["kind"], nested: Entry["nested"]): unknown {
  if (nested !== undefined) {
    const outer = within(reader);
    const value = readMessage(nested, reader);
    reader.end = outer;
    return value;
  }
  const value = readBytes(reader);
  return kind === "string" ? fromText.decode(value) : value;
}

function numberOf(kind: Entry["kind"], value: number | bigint): unknown {
  if (kind === "bool") return Number(value) !== 0;
  if (kind === "uint64") return BigInt(value);
  if (kind === "int32" && typeof value === "number" && value < 2 ** 31) return value;
  if (kind !== "int64") return Number(BigInt.asIntN(32, BigInt(value)));
  return typeof value === "number" ? BigInt(value) : BigInt.asIntN(64, value);
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
  if (reader.at >= reader.end) throw new RangeError("The message ends inside a field.");
  return reader.from[reader.at++] as number;
}

function readBytes(reader: Reader): Uint8Array {
  const outer = within(reader);
  const start = reader.at;
  reader.at = reader.end;
  reader.end = outer;
  return reader.from.subarray(start, reader.at);
}

function skip(reader: Reader, wireType: number): void {
  if (wireType === varint) readVarint(reader);
  else if (wireType === lengthDelimited) readBytes(reader);
  else if (wireType === fixed64) reader.at += 8;
  else if (wireType === fixed32) reader.at += 4;
  else throw new RangeError(`Wire type ${wireType} is not supported.`);
  if (reader.at > reader.end) throw new RangeError("The message ends inside a field.");
}

/** A field as it is looked up, in one direction or the other. */
interface Entry {
  readonly name: string;
  readonly number: number;
  readonly kind: Scalar | Fields;
  readonly repeated: boolean;
  /** The table of the message that the field holds. */
  readonly nested: Table | undefined;
}

interface Table {
  readonly entries: readonly Entry[];
  readonly byNumber: readonly (Entry | undefined)[];
  readonly defaults: Record<string, unknown>;
}

const tables = new WeakMap<Fields, Table>();

function tableOf(fields: Fields): Table {
  const known = tables.get(fields);
  if (known !== undefined) return known;
  const byNumber: (Entry | undefined)[] = [];
  const entries: Entry[] = [];
  const defaults: Record<string, unknown> = {};
  for (const [name, { number, kind, repeated }] of Object.entries(fields)) {
    const nested = typeof kind === "object" ? tableOf(kind) : undefined;
    const entry = { name, number, kind, repeated, nested };
    entries.push(entry);
    byNumber[number] = entry;
    defaults[name] = repeated ? noItems : defaultOf(kind);
  }
  const table = { entries, byNumber, defaults };
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
