/** What the parser hands over of a request. */
export interface RawRequest {
  readonly method: string;
  readonly url: string;
  readonly httpVersion: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

/** A request that means one thing only, to us and to whoever reads it after us. */
export interface CheckedRequest {
  /** Without the query, percent-encoding untouched. */
  readonly path: string;
  /** Path and query. */
  readonly target: string;
  readonly host: string;
  /** By lower-case name; the first value where a name came twice. */
  readonly headers: ReadonlyMap<string, string>;
}

export type RequestCheck =
  | { readonly ok: true; readonly request: CheckedRequest }
  | { readonly ok: false; readonly status: 400 | 431 | 501; readonly reason: string };

/**
 * Decides what Node's parser leaves open: requests that two servers could read in two ways are
 * refused, because that is what smuggling lives on (RFC 9112 §§3.2, 6.1, 11.2).
 */
export function checkRequest(raw: RawRequest, headersMax: number): RequestCheck {
  if (raw.rawHeaders.length / 2 > headersMax) {
    return refused(`more than ${headersMax} headers`, 431);
  }
  const headers = new Map<string, string>();
  let hosts = 0;
  for (let i = 0; i < raw.rawHeaders.length; i += 2) {
    const name = (raw.rawHeaders[i] as string).toLowerCase();
    if (name === "host") hosts++;
    if (!headers.has(name)) headers.set(name, raw.rawHeaders[i + 1] as string);
  }
  if (hosts > 1) return refused("more than one Host");
  const encoding = headers.get("transfer-encoding");
  if (encoding !== undefined) {
    if (raw.httpVersion !== "1.1") return refused("Transfer-Encoding before HTTP/1.1");
    if (encoding.toLowerCase() !== "chunked") return refused("a transfer coding but chunked", 501);
    if (headers.has("content-length")) return refused("Transfer-Encoding beside Content-Length");
  }
  const host = headers.get("host") ?? "";
  const target = originForm(raw.url, host);
  if (typeof target !== "string") return target;
  const path = pathOf(target);
  const fault = pathFault(path, target);
  if (fault !== undefined) return refused(fault);
  return { ok: true, request: { path, target, host, headers } };
}

/** Path and query of the target; absolute form must name the authority that Host names. */
function originForm(url: string, host: string): string | RequestCheck {
  if (url.startsWith("/")) return url;
  const absolute = /^http:\/\/([^/?#]*)([^#]*)$/i.exec(url);
  if (absolute === null) return refused("a target that is neither a path nor an http URL");
  const [, authority = "", rest = ""] = absolute;
  if (authority.toLowerCase() !== host.toLowerCase()) {
    return refused("a target whose authority differs from Host");
  }
  return rest.startsWith("/") ? rest : `/${rest}`;
}

function pathOf(target: string): string {
  const query = target.indexOf("?");
  return query < 0 ? target : target.slice(0, query);
}

function pathFault(path: string, target: string): string | undefined {
  if (/[^!-~]|#/.test(target)) return "a character in the target that must be percent-encoded";
  if (path.includes("\\")) return "a backslash in the path";
  if (/%(?![0-9a-f]{2})/i.test(path)) return "a broken percent-encoding in the path";
  if (/%00/.test(path)) return "a NUL in the path";
  // A service may resolve them, and then the route was chosen by another path.
  if (/\/(\.|%2e){1,2}(\/|$)/i.test(path)) return "a dot segment in the path";
  return undefined;
}

function refused(reason: string, status: 400 | 431 | 501 = 400): RequestCheck & { ok: false } {
  return { ok: false, status, reason };
}
