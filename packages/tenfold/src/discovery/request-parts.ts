import { validateHeaderName, validateHeaderValue } from "node:http";

import { attemptHeader, retryHeader } from "../resilience/call-chain.ts";
import type { CallContext, CallOptions } from "../resilience/call-layer.ts";
import { deadlineHeader, deadlineMsMax } from "../resilience/deadline.ts";
import { isIdempotentMethod } from "../resilience/retry.ts";
import { invalidOption } from "../runtime/options.ts";
import type { ServiceCall } from "./service-client.ts";
import type { Trip } from "./trip.ts";

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

/** Visible ASCII without "#" and "?". */
const pathShape = /^\/[!-"$->@-~]*$/;

/** A path with its query, as it stands in a request line. @throws TENFOLD_OPTION_INVALID */
export function requestTargetOf(pathAndQuery: string): string {
  if (/^\/[!-"$-~]*$/.test(pathAndQuery)) return pathAndQuery;
  throw invalidOption("path", 'a percent-encoded path that starts with "/"', pathAndQuery);
}

/** @throws TENFOLD_OPTION_INVALID when the path could not stand in a request line. */
export function requestTarget(
  path: string,
  query: Readonly<Record<string, string | number | bigint | undefined>> | undefined,
): string {
  if (!pathShape.test(path)) {
    throw invalidOption("path", 'a percent-encoded path that starts with "/", no query', path);
  }
  if (query === undefined) return path;
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
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

/** What `withChain` adds, and a request that came along the chain brings. */
export const chainHeaders: ReadonlySet<string> = new Set([
  deadlineHeader,
  attemptHeader,
  retryHeader,
]);

const keyCharactersMax = 1_024;

/** @throws TENFOLD_OPTION_INVALID */
export function checkedKey(key: string | undefined): string | undefined {
  if (key === undefined) return undefined;
  if (typeof key === "string" && key.length >= 1 && key.length <= keyCharactersMax) return key;
  throw invalidOption("key", `text of 1 to ${keyCharactersMax} characters`, key);
}

/** Names and values in turn. @throws TENFOLD_OPTION_INVALID */
export function requestHeaders(
  headers: Readonly<Record<string, string>> | undefined,
  body: SentBody | undefined,
): string[] {
  const list: string[] = [];
  let hasType = false;
  for (const name in headers) {
    const value = headers[name] as string;
    const lower = name.toLowerCase();
    if (ownHeaders.has(lower)) throw invalidOption("headers", "no header of the transport", name);
    if (chainHeaders.has(lower)) {
      throw invalidOption("headers", "the request's own call as `incoming` instead", name);
    }
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

/** The headers of one attempt: the call's own, and what the layers below must know of it. */
export function withChain(headers: readonly string[], context: CallContext): string[] {
  const chain = context.headerList();
  return headers.length === 0 ? chain : [...headers, ...chain];
}

/** By its own word, its method, or because its caller gave it a name. */
export function isIdempotent({
  method,
  headers,
  idempotent,
}: {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly idempotent?: boolean | undefined;
}): boolean {
  if (idempotent !== undefined) return idempotent;
  if (isIdempotentMethod(method)) return true;
  return Object.keys(headers ?? {}).some((name) => name.toLowerCase() === "idempotency-key");
}

/** What the policy is told of a call. What is not made twice has the whole deadline. */
export function callOptions(
  call: Pick<ServiceCall, "deadlineMs" | "tryTimeoutMs" | "signal" | "incoming">,
  idempotent: boolean,
  subject: Trip,
): CallOptions {
  const { deadlineMs, signal, incoming } = call;
  const tryTimeoutMs = call.tryTimeoutMs ?? (idempotent ? undefined : deadlineMsMax);
  return {
    idempotent,
    subject,
    signal,
    ...(deadlineMs !== undefined && { deadlineMs }),
    ...(tryTimeoutMs !== undefined && { tryTimeoutMs }),
    ...(incoming !== undefined && { incoming }),
  };
}
