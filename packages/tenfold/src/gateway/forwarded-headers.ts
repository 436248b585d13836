import type { AnswerHeaders } from "../discovery/dispatcher.ts";

/** Of one connection only (RFC 9110 §7.6.1), the obsolete ones included. */
const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-authentication-info",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
]);

/** What the gateway says itself; a client's word is dropped. */
const ownOnRequests: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "expect",
  "forwarded",
  "x-real-ip",
  "x-request-id",
]);

const ownPrefixes = ["x-forwarded-", "tenfold-"];

export interface RequestOrigin {
  readonly requestId: string;
  readonly remoteAddress: string;
  readonly host: string;
  /** `X-Forwarded-For` and `-Proto` of a proxy in front that is trusted. */
  readonly forwardedFor: string | undefined;
  readonly forwardedProto: string | undefined;
}

/**
 * The headers for the service: what belongs to the client's connection and what the gateway says
 * itself is taken out first, then ours are added, so that no client can name them away.
 */
export function requestHeadersFor(rawHeaders: readonly string[], origin: RequestOrigin): string[] {
  const listed = listedInConnection(rawHeaders);
  const kept: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    if (hopByHop.has(name) || ownOnRequests.has(name) || listed.has(name)) continue;
    if (ownPrefixes.some((prefix) => name.startsWith(prefix))) continue;
    // CGI-like servers read `content_length` and `content-length` as one name.
    if (name.includes("_")) continue;
    kept.push(name, rawHeaders[i + 1] as string);
  }
  const { forwardedFor, remoteAddress } = origin;
  const chain = forwardedFor === undefined ? remoteAddress : `${forwardedFor}, ${remoteAddress}`;
  kept.push("x-request-id", origin.requestId);
  kept.push("x-forwarded-for", chain);
  kept.push("x-forwarded-proto", origin.forwardedProto ?? "http");
  kept.push("x-forwarded-host", origin.host);
  return kept;
}

/** The headers for the client; framing stays, since the answer is passed on as it is framed. */
export function responseHeadersFor(
  headers: AnswerHeaders,
  own: Readonly<Record<string, string>>,
): string[] {
  const { connection = [] } = headers;
  const listed = namesIn([connection].flat());
  const kept: string[] = [];
  for (const name in headers) {
    if (hopByHop.has(name) || name in own || name.startsWith("tenfold-")) continue;
    if (listed.has(name) && name !== "content-length") continue;
    const value = headers[name];
    if (Array.isArray(value)) for (const each of value) kept.push(name, each);
    else if (value !== undefined) kept.push(name, value);
  }
  for (const name in own) kept.push(name, own[name] as string);
  return kept;
}

/** The value for a `name` in a list of names and values in turn. */
export function headerOf(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] === name) return headers[i + 1];
  }
  return undefined;
}

/** A request id that may stand in logs and headers, or undefined. */
export function safeRequestId(value: string | undefined): string | undefined {
  return value !== undefined && /^[A-Za-z0-9._-]{1,128}$/.test(value) ? value : undefined;
}

function listedInConnection(rawHeaders: readonly string[]): ReadonlySet<string> {
  const values: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if ((rawHeaders[i] as string).toLowerCase() === "connection") {
      values.push(rawHeaders[i + 1] as string);
    }
  }
  return namesIn(values);
}

function namesIn(values: readonly string[]): ReadonlySet<string> {
  if (values.length === 0) return none;
  return new Set(values.flatMap((value) => value.split(",")).map((n) => n.trim().toLowerCase()));
}

const none: ReadonlySet<string> = new Set();
