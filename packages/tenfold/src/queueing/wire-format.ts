import { invalidMessage } from "./queue-limits.ts";

/** Turns what came over the wire into a value, or throws TENFOLD_QUEUEING_MESSAGE_INVALID. */
export type Decoder<T> = (value: unknown, where: string) => T;

export const text: Decoder<string> = (value, where) => {
  if (typeof value === "string") return value;
  throw invalidMessage(`${where} must be text`, value);
};

export const whole: Decoder<number> = (value, where) => {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalidMessage(`${where} must be a whole number, 0 or greater`, value);
};

/** A bigint, which travels as decimal text of at most 19 digits. */
export const integer: Decoder<bigint> = (value, where) => {
  if (typeof value === "string" && /^(0|[1-9]\d{0,18})$/.test(value)) return BigInt(value);
  throw invalidMessage(`${where} must be a decimal number as text`, value);
};

export function oneOf<const T extends string>(...names: readonly T[]): Decoder<T> {
  return (value, where) => {
    const found = names.find((name) => name === value);
    if (found !== undefined) return found;
    throw invalidMessage(`${where} must be one of ${names.join(", ")}`, value);
  };
}

export function optional<T>(inner: Decoder<T>): Decoder<T | undefined> {
  return (value, where) => (value === undefined ? undefined : inner(value, where));
}

export function arrayOf<T>(item: Decoder<T>): Decoder<readonly T[]> {
  return (value, where) => {
    if (!Array.isArray(value)) throw invalidMessage(`${where} must be a list`, value);
    return value.map((entry, index) => item(entry, `${where}[${index}]`));
  };
}

/** An object with exactly these fields; a field that decodes to undefined is left out. */
export function object<T>(fields: { [Name in keyof T]-?: Decoder<T[Name]> }): Decoder<T> {
  const decoders = Object.entries(fields) as [string, Decoder<unknown>][];
  return (value, where) => {
    const result: Record<string, unknown> = {};
    for (const key of Object.keys(plainObject(value, where))) {
      if (!Object.hasOwn(fields, key)) throw invalidMessage(`${where} knows no such field`, key);
    }
    for (const [name, decode] of decoders) {
      const decoded = decode(field(value, name, where), `${where}.${name}`);
      if (decoded !== undefined) result[name] = decoded;
    }
    return result as T;
  };
}

/** An own field of an object, or undefined. */
export function field(value: unknown, name: string, where: string): unknown {
  const fields = plainObject(value, where);
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

function plainObject(value: unknown, where: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw invalidMessage(`${where} must be an object`, value);
}
