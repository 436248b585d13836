import { idInvalid, idMax } from "./id-codec.ts";
import { base32, base32Digit } from "./id-text.ts";

/**
 * The short form of an id: 13 characters of Crockford's base32 in lower case, which sort as the
 * numbers do, byte by byte: for URLs, file names, and members of Redis sorted sets, whose scores
 * have too few bits.
 *
 * @throws TENFOLD_IDENTIFIERS_ID_INVALID outside 0 … 2^63−1
 */
export function formatShortId(id: bigint): string {
  if (typeof id !== "bigint" || id < 0n || id > idMax) throw idInvalid("id", id);
  return base32(id, 13);
}

/**
 * Reads the short form; capitals are taken as small letters.
 *
 * @param name what to call it in the message.
 * @throws TENFOLD_IDENTIFIERS_ID_INVALID
 */
export function parseShortId(text: unknown, name = "id"): bigint {
  if (typeof text !== "string" || text.length !== 13) throw idInvalid(name, text);
  let id = 0n;
  for (const character of text) {
    const digit = base32Digit(character);
    if (digit === undefined) throw idInvalid(name, text);
    id = id * 32n + BigInt(digit);
  }
  if (id > idMax) throw idInvalid(name, text);
  return id;
}
