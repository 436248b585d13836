import { createHash, timingSafeEqual } from "node:crypto";

import type { ErrorCode } from "../runtime/error-codes.ts";

/** What the guard looks at: the request's method and headers, as they came. */
export interface AdminRequest {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly secFetchSite?: string | undefined;
  readonly authorization: string | undefined;
}

export interface AdminTrust {
  readonly token: string;
  /** Names and addresses of this process, with or without a port. Loopback ones are always own. */
  readonly ownHosts: readonly string[];
}

export type AdminVerdict =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly status: 401 | 403;
      readonly code: ErrorCode;
      readonly message: string;
    };

/**
 * May this request use an admin surface? It must be addressed to this process by a name of its own
 * (or a page could have its own name resolve to us: DNS rebinding), come from no page but our own,
 * and carry the token.
 */
export function checkAdminRequest(request: AdminRequest, trust: AdminTrust): AdminVerdict {
  const stranger = checkStranger(request, trust.ownHosts);
  if (!stranger.ok) return stranger;
  const [, token] = /^bearer +(\S+) *$/i.exec(request.authorization ?? "") ?? [];
  if (token !== undefined && sameSecret(token, trust.token)) return stranger;
  const code = "TENFOLD_FLEET_TOKEN_REFUSED";
  const message = "Send the fleet's token: authorization: Bearer TOKEN.";
  return { ok: false, status: 401, code, message };
}

/** The same without the token: for `/healthz`, and for a page that asks for the token. */
export function checkStranger(
  request: Omit<AdminRequest, "authorization">,
  ownHosts: readonly string[],
): AdminVerdict {
  const { method, host, origin, secFetchSite } = request;
  const name = host === undefined ? undefined : hostName(host);
  const ours =
    name !== undefined && (loopback.has(name) || ownHosts.some((own) => hostName(own) === name));
  if (!ours) {
    return forbidden("TENFOLD_FLEET_HOST_REFUSED", "The Host header names no address of ours.");
  }
  // Another port of this host is another origin: whatever listens there is not us.
  const own = origin === undefined || origin === `http://${host}` || origin === `https://${host}`;
  const reads = method === "GET" || method === "HEAD";
  const fromElsewhere = secFetchSite === "cross-site" || secFetchSite === "same-site";
  if (own && (reads || !fromElsewhere)) return { ok: true };
  return forbidden("TENFOLD_FLEET_ORIGIN_REFUSED", "A page of another origin may not call this.");
}

/** Compared as digests: neither the length nor the first difference shows in the time it takes. */
export function sameSecret(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return b !== "" && timingSafeEqual(digest(a), digest(b));
}

const loopback = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** The name in `name`, `name:port`, `[v6]` or `[v6]:port`; undefined for anything else. */
function hostName(host: string): string | undefined {
  const [, name] = /^(\[[0-9a-f:.]+\]|[\w.-]+)(?::\d{1,5})?$/i.exec(host) ?? [];
  if (name !== undefined) return name.toLowerCase();
  return /^[0-9a-f:.]+$/i.test(host) ? `[${host.toLowerCase()}]` : undefined;
}

function forbidden(code: ErrorCode, message: string): AdminVerdict {
  return { ok: false, status: 403, code, message };
}
