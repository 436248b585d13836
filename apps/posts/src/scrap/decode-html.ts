import { TextDecoder } from "node:util";

/** How far into a page its `<meta charset>` is looked for, as browsers do. */
const declarationBytesMax = 1024;

/**
 * The text of an HTML page: by its byte order mark, else the charset of its content type, else the
 * one it declares in its first 1,024 bytes, else UTF-8. Bytes that do not fit become U+FFFD; a
 * character that is cut off at the end is left out.
 *
 * Source: the encoding sniffing of the HTML standard, without its guesses.
 */
export function decodeHtml(bytes: Uint8Array, charset?: string): string {
  const decoder =
    decoderFor(markedCharset(bytes)) ??
    decoderFor(charset) ??
    decoderFor(declaredCharset(bytes)) ??
    new TextDecoder();
  return decoder.decode(bytes, { stream: true });
}

function markedCharset(bytes: Uint8Array): string | undefined {
  const [first, second, third] = bytes;
  if (first === 0xef && second === 0xbb && third === 0xbf) return "utf-8";
  if (first === 0xfe && second === 0xff) return "utf-16be";
  if (first === 0xff && second === 0xfe) return "utf-16le";
  return undefined;
}

function declaredCharset(bytes: Uint8Array): string | undefined {
  const start = new TextDecoder("latin1").decode(bytes.subarray(0, declarationBytesMax));
  const markup = start.replace(/<!--.*?(?:-->|$)/gs, "");
  const label = /<meta\s[^>]*?charset\s*=\s*["']?\s*([^\s"'/>;]+)/i.exec(markup)?.[1];
  // Who could read this declaration as single bytes did not write UTF-16.
  return label !== undefined && /^utf-?16/i.test(label) ? "utf-8" : label;
}

function decoderFor(label: string | undefined): TextDecoder | undefined {
  if (label === undefined) return undefined;
  try {
    return new TextDecoder(label);
  } catch {
    return undefined;
  }
}
