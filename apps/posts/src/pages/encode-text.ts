/** The encodings of the site that are not UTF-8. `TextEncoder` writes UTF-8 only. */
export type LegacyCharset = "euc-kr" | "shift_jis" | "windows-1252";

/**
 * The text in a legacy encoding, by the inverse of what `TextDecoder` reads: every byte and every
 * pair of bytes is decoded once to see what it stands for. Takes some 20 ms a charset.
 *
 * @throws RangeError for a character that the encoding does not have
 */
export function encodeText(text: string, charset: LegacyCharset): Uint8Array {
  const codes = codesOf(charset);
  const bytes: number[] = [];
  for (const character of text) {
    const code = codes.get(character);
    if (code === undefined) throw new RangeError(`${charset} has no "${character}"`);
    bytes.push(...code);
  }
  return Uint8Array.from(bytes);
}

function codesOf(charset: LegacyCharset): ReadonlyMap<string, readonly number[]> {
  const decoder = new TextDecoder(charset);
  const codes = new Map<string, readonly number[]>();
  const note = (...code: number[]): void => {
    const character = decoder.decode(Uint8Array.from(code));
    // One code point that nothing shorter stands for; U+FFFD is the answer to nonsense.
    const isOne = [...character].length === 1 && character !== "\ufffd";
    if (isOne && !codes.has(character)) codes.set(character, code);
  };
  for (let byte = 0; byte <= 0xff; byte++) note(byte);
  if (charset === "windows-1252") return codes;
  for (let lead = 0x81; lead <= 0xfe; lead++) {
    for (let trail = 0x40; trail <= 0xfe; trail++) note(lead, trail);
  }
  return codes;
}
