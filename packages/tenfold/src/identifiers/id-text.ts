/** How ids are written whose last digits count up: the head is kept while only the tail moves. */
export interface CountingText {
  /** The text of `base + step`. Steps may come in any order, growing ones are fast. */
  write(base: bigint, step: number): string;
}

interface Shape {
  /** How many different tails there are. */
  readonly tails: readonly string[];
  /** The head for everything above the tail. */
  readonly head: (above: bigint) => string;
}

function countingText({ tails, head }: Shape): CountingText {
  const count = BigInt(tails.length);
  let knownBase = -1n;
  let above = 0n;
  let below = 0;
  let carry = -1;
  let kept = "";
  return {
    write(base, step) {
      if (base !== knownBase) {
        knownBase = base;
        above = base / count;
        below = Number(base % count);
        carry = -1;
      }
      const at = below + step;
      const carried = Math.floor(at / tails.length);
      if (carried !== carry) {
        carry = carried;
        kept = head(above + BigInt(carried));
      }
      return kept + (tails[at - carried * tails.length] as string);
    },
  };
}

const padded = Array.from({ length: 10_000 }, (_, n) => String(n).padStart(4, "0"));

/** Decimal digits, for ids of at least 10,000; smaller ones are written plainly. */
export function decimalText(): CountingText {
  const text = countingText({ tails: padded, head: String });
  return {
    write: (base, step) => (base >= 10_000n ? text.write(base, step) : String(base + BigInt(step))),
  };
}

/** Crockford's digits in the order of ASCII: without i, l, o and u. */
const digits = "0123456789abcdefghjkmnpqrstvwxyz";
const pairs = Array.from(digits).flatMap((high) => Array.from(digits, (low) => high + low));

/** Digits that 64 bits need at five bits each. */
const shortLength = 13;

/** The short form, see `formatShortId`. */
export function shortText(): CountingText {
  return countingText({ tails: pairs, head: (above) => base32(above, shortLength - 2) });
}

/** Fixed width, so that text sorts as the number does. */
export function base32(value: bigint, length: number): string {
  let text = "";
  let rest = value;
  for (let digit = 0; digit < length; digit += 2) {
    text = (pairs[Number(rest & 1023n)] as string) + text;
    rest >>= 10n;
  }
  return text.slice(-length);
}

/** The value of one digit, capitals allowed; undefined for what is none. */
export function base32Digit(character: string): number | undefined {
  const value = digits.indexOf(character.toLowerCase());
  return value < 0 ? undefined : value;
}
