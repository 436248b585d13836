import { idInvalid, idMax, parseId } from "./id-codec.ts";

export interface IdJsonOptions {
  /** The names of the members that hold an id, or an array of ids, at any depth. */
  readonly ids: readonly string[];
  /**
   * How ids are printed: "text", which every reader keeps, or "number" with all its digits, for
   * readers that know 64-bit numbers. Default "text". Both are read.
   */
  readonly print?: "text" | "number";
}

export interface IdJson {
  /**
   * `JSON.parse`, with the named members as bigints. A number elsewhere that a double cannot hold
   * becomes a bigint too, instead of another number.
   *
   * @throws SyntaxError as `JSON.parse` does; TENFOLD_IDENTIFIERS_ID_INVALID for a named member
   *   that is neither id nor null, and for whole numbers beyond 64 bits
   */
  parse(text: string): unknown;
  /**
   * `JSON.stringify` of a value whose bigints are ids.
   * @throws TENFOLD_IDENTIFIERS_ID_INVALID outside 0 … 2^63−1
   */
  stringify(value: unknown, space?: number): string;
}

// The engine has both (V8 since 11.4), the language's library files do not yet.
type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };
const parseWithSource = JSON.parse as (text: string, reviver: Reviver) => unknown;

const wholeNumber = /^-?\d+$/;

/** A JSON codec that keeps all 64 bits of ids. Source: TC39, JSON.parse source text access. */
export function idJson({ ids, print = "text" }: IdJsonOptions): IdJson {
  const named = new Set(ids);
  const revive: Reviver = (key, value, { source }) => {
    if (typeof value === "number") return wholeExactly(key, value, source);
    return value;
  };
  const reviveNamed: Reviver = (key, value, context) => {
    const exact = revive(key, value, context);
    if (!named.has(key) || exact === null) return exact;
    return Array.isArray(exact) ? exact.map((each) => idOf(key, each)) : idOf(key, exact);
  };
  const replace = (_key: string, value: unknown): unknown => {
    if (typeof value !== "bigint") return value;
    if (value < 0n || value > idMax) throw idInvalid("id", value);
    return print === "number" ? rawJSON(value.toString()) : value.toString();
  };
  return {
    parse: (text) => parseWithSource(text, reviveNamed),
    stringify: (value, space) => JSON.stringify(value, replace, space),
  };
}

/** The number, or a bigint where the number would be another than the one that was written. */
function wholeExactly(name: string, value: number, source: string | undefined): unknown {
  if (Number.isSafeInteger(value) || source === undefined || !wholeNumber.test(source))
    return value;
  // Twenty characters hold any 64-bit number; more would let a long one keep the reader busy.
  const exact = source.length <= 20 ? BigInt(source) : undefined;
  if (exact === undefined || exact < -idMax - 1n || exact > idMax) throw idInvalid(name, source);
  return exact;
}

function idOf(name: string, value: unknown): bigint {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  if (typeof value === "bigint" && value >= 0n) return value;
  return parseId(value, name);
}
