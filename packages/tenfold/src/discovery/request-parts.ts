import { validateHeaderName, validateHeaderValue } from "node:http";

import { invalidOption } from "../runtime/options.ts";

export type RequestBody = object | string | Uint8Array;

export interface SentBody {
  readonly bytes: Uint8Array;
  readonly contentType: string | undefined;
}

/** The bytes of a body, made once for all attempts. */
export function sentBody(body: RequestBody | undefined): SentBody | undefined {
  if (body === undefined) return undefined;
  if (body instanceof Uint8Array) return { bytes: body, contentType: undefined };
  if (typeof body === "string") {
    return { bytes: Buffer.from(body), contentType: "text/plain; charset=utf-8" };
  }
  return { bytes: Buffer.from(jsonText(body)), contentType: "application/json" };
}

/** JSON with bigints as strings: ids stay exact. */
function jsonText(value: object): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === "bigint" ? item.toString() : item,
  );
}

/** @throws TENFOLD_OPTION_INVALID when the path could not stand in a request line. */
export function requestTarget(
  path: string,
  query: Readonly<Record<string, string | number | bigint | undefined>> | undefined,
): string {
  if (!/^\/[!-"$->@-~]*$/.test(path)) {
    throw invalidOption("path", 'a percent-encoded path that starts with "/", no query', path);
  }
  const pairs = Object.entries(query ?? {}).filter(([, value]) => value !== undefined);
  if (pairs.length === 0) return path;
  const texts = pairs.map(([name, value]): [string, string] => [name, String(value)]);
  return `${path}?${new URLSearchParams(texts)}`;
}

/** Headers that the transport makes itself: naming them would frame the request twice. */
const ownHeaders: ReadonlySet<string> = new Set([
  "host",
  "connection",
  "content-length",
  "transfer-encoding",
  "upgrade",
  "expect",
]);

/** Names and values in turn. @throws TENFOLD_OPTION_INVALID */
export function requestHeaders(
  headers: Readonly<Record<string, string>> | undefined,
  body: SentBody | undefined,
): string[] {
  const list: string[] = [];
  let hasType = false;
  for (const [name, value] of Object.entries(headers ?? {})) {
    const lower = name.toLowerCase();
    if (ownHeaders.has(lower)) throw invalidOption("headers", "no header of the transport", name);
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch {
      throw invalidOption("headers", "names and values that HTTP allows", name);
    }
    hasType ||= lower === "content-type";
    list.push(lower, value);
  }
  if (body?.contentType !== undefined && !hasType) list.push("content-type", body.contentType);
  return list;
}
