import { TenfoldError } from "../runtime/errors.ts";

/**
 * What is asked for. addresses: A and AAAA records, the port is known. services: SRV records, which
 * tell ports, weights and priorities.
 */
export type DnsName =
  | { readonly kind: "addresses"; readonly name: string; readonly port: number }
  | { readonly kind: "services"; readonly name: string };

/**
 * The name of a service: with a port (`posts.internal:8080`) its addresses are asked for, without
 * one (`_http._tcp.posts.internal`) its SRV records. `{service}` stands for the service's name.
 *
 * @throws TENFOLD_DISCOVERY_ADDRESS_INVALID
 */
export function parseDnsName(pattern: string, service: string): DnsName {
  const text = pattern.replaceAll("{service}", service);
  const [, name, digits] = /^([^:]+?)\.?(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (name === undefined || !isDomainName(name)) throw invalid(text);
  if (digits === undefined) return { kind: "services", name };
  const port = Number(digits);
  if (port < 1 || port > 65_535) throw invalid(text);
  return { kind: "addresses", name, port };
}

/** RFC 1035 lengths; letters, digits, dashes, and underscores as SRV names have them. */
function isDomainName(name: string): boolean {
  return name.length <= 253 && name.split(".").every((label) => /^[a-z0-9_-]{1,63}$/i.test(label));
}

function invalid(text: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_DISCOVERY_ADDRESS_INVALID",
    'A DNS name must read like "posts.internal:8080" (addresses) or "_http._tcp.posts.internal" ' +
      `(SRV records), got ${JSON.stringify(text.slice(0, 300))}.`,
  );
}
