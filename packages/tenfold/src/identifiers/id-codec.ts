import { TenfoldError } from "../runtime/errors.ts";

/** The largest id that a signed 64-bit column holds. */
export const idMax: bigint = 2n ** 63n - 1n;

const decimal = /^(?:0|[1-9][0-9]{0,18})$/;

/**
 * An id as JSON carries it: decimal text. Of a JSON number most readers keep 53 bits.
 *
 * @throws TENFOLD_IDENTIFIERS_ID_INVALID outside 0 … 2^63−1
 */
export function formatId(id: bigint): string {
  if (typeof id !== "bigint" || id < 0n || id > idMax) throw idInvalid("id", id);
  return id.toString();
}

/**
 * The id in a piece of text: digits only, no sign, no leading zero, 0 … 2^63−1, so that one id has
 * one spelling and fits a signed 64-bit column everywhere.
 *
 * @param name what to call it in the message.
 * @throws TENFOLD_IDENTIFIERS_ID_INVALID
 */
export function parseId(text: unknown, name = "id"): bigint {
  if (typeof text === "string" && decimal.test(text)) {
    const id = BigInt(text);
    if (id <= idMax) return id;
  }
  throw idInvalid(name, text);
}

/** The error for something that is no id. */
export function idInvalid(name: string, came: unknown, most: bigint = idMax): TenfoldError {
  const shown = typeof came === "string" ? JSON.stringify(came.slice(0, 40)) : shownValue(came);
  return new TenfoldError(
    "TENFOLD_IDENTIFIERS_ID_INVALID",
    `${name} must be a whole number from 0 to ${most} as decimal text without sign or leading ` +
      `zeros, got ${shown}.`,
    { details: { name, came: shown } },
  );
}

function shownValue(came: unknown): string {
  if (typeof came === "bigint" || typeof came === "number") return `${typeof came} ${came}`;
  return came === null ? "null" : typeof came;
}
