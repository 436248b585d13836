import { type IncomingMessage, type RequestOptions, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { LookupFunction } from "node:net";
import type { ResolvedAddress, Runtime } from "tenfold/runtime";
import { abortError, errorText } from "tenfold/runtime";

import { AppError } from "../app-error.ts";
import { isAllowedHost, pageUrl, portOf, type UrlRules, urlRefused } from "./page-url.ts";
import { isPublicAddress } from "./public-address.ts";
import { readBody } from "./read-body.ts";

export interface FetchPageOptions {
  readonly rules: UrlRules;
  readonly runtime: Pick<Runtime, "clock" | "network">;
  readonly signal?: AbortSignal | undefined;
  readonly limits?: Partial<FetchPageLimits>;
}

export interface FetchPageLimits {
  /** For everything: look-ups, all redirects, the body. */
  readonly totalMs: number;
  /** From the start of one request to its open connection, TLS included. */
  readonly connectMs: number;
  /** Of the body, compressed and decompressed; what is beyond it is not read. */
  readonly bodyBytesMax: number;
  readonly headerBytesMax: number;
  readonly redirectsMax: number;
  /** Of one name; a name with more is refused. */
  readonly addressesMax: number;
}

export const fetchPageDefaults: FetchPageLimits = Object.freeze({
  totalMs: 5_000,
  connectMs: 1_000,
  bodyBytesMax: 512 * 1024,
  headerBytesMax: 16 * 1024,
  redirectsMax: 5,
  addressesMax: 32,
});

export interface FetchedPage {
  /** Where it was in the end, after redirects. */
  readonly url: URL;
  /** The `charset` of the content type, if it names one. */
  readonly charset: string | undefined;
  readonly body: Uint8Array;
  /** The page is larger than the limit, and `body` is its beginning. */
  readonly cut: boolean;
}

interface Fetching extends FetchPageOptions {
  readonly limits: FetchPageLimits;
  readonly signal: AbortSignal;
}

const redirectStatuses = new Set([301, 302, 303, 307, 308]);
const pageTypes = new Set(["text/html", "application/xhtml+xml"]);

/**
 * Fetches an HTML page that a stranger named. On every hop the host is resolved, every address
 * must be public (or the host allowed by name), and the connection goes to the addresses that
 * were checked: a name that answers differently a second time is not asked a second time.
 *
 * @throws POSTS_URL_REFUSED, POSTS_PAGE_REFUSED, POSTS_PAGE_UNAVAILABLE; TENFOLD_ABORTED when the
 *   signal fires
 */
export async function fetchPage(url: URL, options: FetchPageOptions): Promise<FetchedPage> {
  const limits = { ...fetchPageDefaults, ...options.limits };
  const deadline = new AbortController();
  const timer = options.runtime.clock.setTimer(limits.totalMs, () => {
    deadline.abort(unavailable(`did not arrive within ${limits.totalMs} ms`));
  });
  const signals = [deadline.signal, ...(options.signal ? [options.signal] : [])];
  const fetching = { ...options, limits, signal: AbortSignal.any(signals) };
  try {
    return await followRedirects(url, fetching);
  } catch (error) {
    if (options.signal?.aborted) throw abortError(options.signal);
    if (deadline.signal.aborted) throw deadline.signal.reason;
    if (error instanceof AppError) throw error;
    throw unavailable(`could not be fetched (${reasonOf(error)})`, error);
  } finally {
    timer.cancel();
  }
}

async function followRedirects(first: URL, fetching: Fetching): Promise<FetchedPage> {
  let url = first;
  for (let hop = 0; hop <= fetching.limits.redirectsMax; hop++) {
    const response = await get(url, fetching);
    try {
      const location = response.headers.location;
      if (redirectStatuses.has(response.statusCode ?? 0) && location !== undefined) {
        url = pageUrl(location, fetching.rules, url);
        continue;
      }
      return await readPage(url, response, fetching);
    } finally {
      response.destroy();
    }
  }
  throw unavailable(`redirected more than ${fetching.limits.redirectsMax} times`);
}

async function readPage(
  url: URL,
  response: IncomingMessage,
  { limits, signal }: Fetching,
): Promise<FetchedPage> {
  const status = response.statusCode ?? 0;
  if (status < 200 || status > 299) throw unavailable(`answered with status ${status}`);
  const contentType = response.headers["content-type"] ?? "";
  const [mediaType = ""] = contentType.split(";");
  if (!pageTypes.has(mediaType.trim().toLowerCase())) throw unavailable("is not an HTML page");
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(contentType)?.[1];
  const encoding = response.headers["content-encoding"];
  const { bytes, cut } = await readBody(response, encoding, limits.bodyBytesMax, signal);
  return { url, charset, body: bytes, cut };
}

/** One request, to an address that was checked; resolves with the answer's head. */
async function get(url: URL, fetching: Fetching): Promise<IncomingMessage> {
  const addresses = await checkedAddresses(url, fetching);
  const { limits, runtime, signal } = fetching;
  const options: RequestOptions = {
    host: bareHost(url),
    port: portOf(url),
    path: `${url.pathname}${url.search}`,
    headers: {
      host: url.host,
      accept: "text/html, application/xhtml+xml",
      "accept-encoding": "gzip, deflate, br",
      "user-agent": "tenfold-scrap/1",
    },
    // A connection of its own: one from a pool was checked for another request, some time ago.
    agent: false,
    lookup: lookupOf(addresses),
    maxHeaderSize: limits.headerBytesMax,
    signal,
  };
  return await new Promise((resolve, reject) => {
    const secure = url.protocol === "https:";
    const request = (secure ? requestHttps : requestHttp)(options);
    const timer = runtime.clock.setTimer(limits.connectMs, () => {
      request.destroy(unavailable(`took no connection within ${limits.connectMs} ms`));
    });
    request.once("socket", (socket) => {
      socket.once(secure ? "secureConnect" : "connect", () => timer.cancel());
    });
    request.once("response", (response) => {
      // Its reader learns of errors from the iterator; one after the reader left must not crash.
      response.on("error", () => {});
      resolve(response);
    });
    request.on("error", reject);
    request.once("close", () => timer.cancel());
    request.end();
  });
}

async function checkedAddresses(url: URL, fetching: Fetching): Promise<readonly ResolvedAddress[]> {
  const { limits, rules, runtime, signal } = fetching;
  const host = bareHost(url);
  // `lookup` answers an address with itself, so that literals take the same way.
  const addresses = await unlessAborted(signal, runtime.network.lookup(host)).catch(
    (error: unknown) => {
      if (signal.aborted) throw error;
      throw unavailable("has a host that cannot be resolved", error);
    },
  );
  if (addresses.length === 0) throw unavailable("has a host without an address");
  if (isAllowedHost(url, rules)) return addresses;
  const fits = addresses.length <= limits.addressesMax;
  if (fits && addresses.every(({ address }) => isPublicAddress(address))) return addresses;
  throw urlRefused("leads to an address that is not public");
}

/** For `net.connect`: answers with the given addresses, whatever the resolver would say now. */
function lookupOf(addresses: readonly ResolvedAddress[]): LookupFunction {
  return (_host, options, callback) => {
    const [first] = addresses as [ResolvedAddress, ...ResolvedAddress[]];
    if (options.all) callback(null, [...addresses]);
    else callback(null, first.address, first.family);
  };
}

function bareHost(url: URL): string {
  return url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname;
}

function unlessAborted<T>(signal: AbortSignal, result: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortError(signal));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    result.finally(() => signal.removeEventListener("abort", onAbort)).then(resolve, reject);
  });
}

/** @param reason how the sentence "The page …" goes on. */
function unavailable(reason: string, cause?: unknown): AppError {
  return new AppError("POSTS_PAGE_UNAVAILABLE", `The page ${reason}.`, { cause });
}

/** A system code tells what went wrong without telling what is inside: no address, no path. */
function reasonOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : errorText(error).slice(0, 80);
}
