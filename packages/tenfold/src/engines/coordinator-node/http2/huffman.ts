import { ConnectionError, errorCode } from "./frames.ts";

/**
 * RFC 7541, appendix B. The code is canonical, so it is told by the lengths alone: the symbols of
 * each length in their order, as text or, where they cannot be printed, as numbers.
 */
const symbolsByLength: Readonly<Record<number, string | readonly number[]>> = {
  5: "012aceiost",
  6: " %-./3456789=A_bdfghlmnpru",
  7: ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
  8: "&*,;XZ",
  10: '!"()?',
  11: "'+|",
  12: "#>",
  13: "\0$@[]~",
  14: "^}",
  15: "<`{",
  19: [92, 195, 208],
  20: [128, 130, 131, 162, 184, 194, 224, 226],
  21: [153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230],
  22: [
    ...[129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181, 185, 186],
    ...[187, 189, 190, 196, 198, 228, 232, 233],
  ],
  23: [
    ...[1, 135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158, 165, 166],
    ...[168, 174, 175, 180, 182, 183, 188, 191, 197, 231, 239],
  ],
  24: [9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237],
  25: [199, 207, 234, 235],
  26: [192, 193, 200, 201, 202, 205, 210, 213, 218, 219, 238, 240, 242, 243, 255],
  27: [
    ...[203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245, 246, 247, 248, 250, 251, 252, 253],
    254,
  ],
  28: [
    ...[2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29],
    ...[30, 31, 127, 220, 249],
  ],
  30: [10, 13, 22, 256],
};

const shortest = 5;
const longest = 30;
const endOfString = 256;

interface Codes {
  /** The code of the first symbol of this length. */
  readonly first: number;
  readonly symbols: readonly number[];
}

const codes: readonly Codes[] = canonicalCodes();

function canonicalCodes(): Codes[] {
  const all: Codes[] = [];
  let next = 0;
  for (let length = 0; length <= longest; length++) {
    const given = symbolsByLength[length] ?? [];
    const symbols = typeof given === "string" ? [...Buffer.from(given)] : given;
    next *= 2;
    all.push({ first: next, symbols });
    next += symbols.length;
  }
  return all;
}

/** @throws ConnectionError when the bytes are no such text */
export function decodeHuffman(from: Uint8Array): string {
  const text = Buffer.allocUnsafe(Math.ceil((from.length * 8) / shortest));
  let size = 0;
  let code = 0;
  let length = 0;
  for (const byte of from) {
    for (let bit = 7; bit >= 0; bit--) {
      code = (code << 1) | ((byte >> bit) & 1);
      length++;
      const { first, symbols } = codes[length] as Codes;
      const symbol = symbols[code - first];
      if (symbol === undefined) {
        if (length === longest) throw unreadable();
        continue;
      }
      if (symbol === endOfString) throw unreadable();
      text[size++] = symbol;
      code = 0;
      length = 0;
    }
  }
  // What is left is the start of the end of string: ones, and less than a byte.
  if (length > 7 || code !== 2 ** length - 1) throw unreadable();
  return text.toString("latin1", 0, size);
}

function unreadable(): ConnectionError {
  return new ConnectionError(errorCode.compression, "unreadable Huffman code");
}
