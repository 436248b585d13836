import { createHmac } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type AdminVerdict, checkAdminRequest, checkStranger, sameSecret } from "tenfold/fleet";

export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** Who may use the console: own Host, own Origin or none, and the fleet's token. */
export interface ConsoleGuard {
  /** Why a request is refused, or undefined when it may pass. */
  refusal(request: IncomingMessage): Refusal | undefined;
  /** The same without the token: for the login page, which must be there before it. */
  refusalOfStranger(request: IncomingMessage): Refusal | undefined;
  isToken(candidate: string): boolean;
  /** The `Set-Cookie` value that stands for the token. */
  readonly cookie: string;
}

/**
 * The cookie holds no token but a value made from it: a browser sends cookies to every port of the
 * host, and what listens there must not learn the fleet's token.
 *
 * @param ownHosts `host:port` of every name the console answers to
 */
export function consoleGuard(
  token: string,
  port: number,
  ownHosts: readonly string[],
): ConsoleGuard {
  const cookieName = `tenfold-console-${port}`;
  const cookieValue = createHmac("sha256", token).update("tenfold console cookie").digest("hex");

  const known = (request: IncomingMessage, authorization: string | undefined) =>
    refusalOf(checkAdminRequest({ ...seen(request), authorization }, { token, ownHosts }));

  return {
    cookie: `${cookieName}=${cookieValue}; Path=/; HttpOnly; SameSite=Strict`,
    isToken: (candidate) => sameSecret(candidate, token),
    refusalOfStranger: (request) => refusalOf(checkStranger(seen(request), ownHosts)),
    refusal(request) {
      const { authorization, cookie, origin } = request.headers;
      const value = cookieOf(cookie, cookieName);
      if (authorization !== undefined || value === undefined || !sameSecret(value, cookieValue)) {
        return known(request, authorization);
      }
      const refused = known(request, `Bearer ${token}`);
      if (refused !== undefined || request.method === "GET" || origin !== undefined) return refused;
      // A browser names the origin of every POST; who sends the cookie without is no page of ours.
      const message = "A request that changes something must name its Origin.";
      return { status: 403, code: "TENFOLD_FLEET_ORIGIN_REFUSED", message };
    },
  };
}

function seen({ method = "GET", headers }: IncomingMessage) {
  const { host, origin } = headers;
  return { method, host, origin, secFetchSite: headers["sec-fetch-site"]?.toString() };
}

function refusalOf(verdict: AdminVerdict): Refusal | undefined {
  return verdict.ok ? undefined : verdict;
}

function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const pair of (header ?? "").split(";")) {
    const [key, value] = pair.trim().split("=");
    if (key === name) return value;
  }
  return undefined;
}
