const encoder = new TextEncoder();
/** Beyond it the encoder's own speed outweighs the cost of calling it. */
const asciiCharsMax = 256;

/** The bytes that every hash of this room reads; lone surrogates become U+FFFD, as on the wire. */
export function utf8Bytes(key: Uint8Array | string): Uint8Array {
  if (typeof key !== "string") return key;
  const length = key.length;
  if (length > asciiCharsMax) return encoder.encode(key);
  const bytes = new Uint8Array(length);
  let seen = 0;
  for (let i = 0; i < length; i++) {
    const code = key.charCodeAt(i);
    seen |= code;
    bytes[i] = code;
  }
  return seen > 0x7f ? encoder.encode(key) : bytes;
}
