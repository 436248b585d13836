import { AppError } from "../app-error.ts";

export interface UrlRules {
  /** Ports that may be asked, of public hosts. */
  readonly ports: readonly number[];
  /** `host:port`, exactly: allowed whatever the address and the port are. */
  readonly allowHosts: readonly string[];
}

export const urlRulesDefaults: UrlRules = Object.freeze({ ports: [80, 443], allowHosts: [] });

/** Longer ones are cut by some client, server or log on the way. */
export const urlLengthMax = 2048;

/**
 * A URL that may be fetched, as far as its text tells, in its canonical form without fragment.
 * The WHATWG parser turns decimal, octal, hexadecimal and short hosts into dotted addresses here,
 * so that the check of the address sees what a connection would.
 *
 * @throws POSTS_URL_REFUSED
 */
export function pageUrl(text: string, rules: UrlRules, base?: URL): URL {
  if (text.length > urlLengthMax) throw urlRefused(`is longer than ${urlLengthMax} characters`);
  const url = URL.parse(text, base?.href);
  if (url === null) throw urlRefused("is not a valid URL");
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw urlRefused("must begin with http:// or https://");
  }
  if (url.username !== "" || url.password !== "") throw urlRefused("must not carry a password");
  if (!isAllowedHost(url, rules) && !rules.ports.includes(portOf(url))) {
    throw urlRefused(`has a port other than ${rules.ports.join(", ")}`);
  }
  url.hash = "";
  if (url.href.length > urlLengthMax) {
    throw urlRefused(`is longer than ${urlLengthMax} characters`);
  }
  return url;
}

/** Does the fleet file name exactly this host and port? */
export function isAllowedHost(url: URL, rules: UrlRules): boolean {
  return rules.allowHosts.includes(`${url.hostname}:${portOf(url)}`);
}

export function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "https:" ? 443 : 80;
}

/** @param reason how the sentence "The url …" goes on. */
export function urlRefused(reason: string): AppError {
  return new AppError("POSTS_URL_REFUSED", `The url ${reason}.`);
}
