import { Resolver } from "node:dns/promises";

export interface AddressRecord {
  readonly address: string;
  /** Seconds that the answer may be kept. */
  readonly ttl: number;
}

/** RFC 2782. */
export interface ServiceRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/**
 * none: the name, or records of this kind, do not exist, and a server that knows says so. failed:
 * nobody who knows could be asked (no answer, SERVFAIL, REFUSED).
 */
export type DnsAnswer<Record> =
  | { readonly kind: "found"; readonly records: readonly Record[] }
  | { readonly kind: "none"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string };

/** Asks DNS servers; never throws. */
export interface DnsClient {
  addresses(name: string, family: 4 | 6): Promise<DnsAnswer<AddressRecord>>;
  services(name: string): Promise<DnsAnswer<ServiceRecord>>;
  /** Ends what is under way as failed. */
  cancel(): void;
}

export interface DnsClientOptions {
  /** `address` or `address:port`, IPv6 in brackets; default: what the system is set to. */
  readonly servers?: readonly string[] | undefined;
  /** For the first try of one server; longer for later ones. */
  readonly timeoutMs: number;
  /** How often each server is asked. */
  readonly tries: number;
}

/**
 * A client over c-ares, in sockets of the event loop: unlike `dns.lookup` it takes none of the four
 * threads that files and digests share, and it tells the time to live.
 */
export function dnsClient({ servers, timeoutMs, tries }: DnsClientOptions): DnsClient {
  const resolver = new Resolver({ timeout: timeoutMs, tries });
  if (servers !== undefined) resolver.setServers(servers);
  return {
    addresses: (name, family) =>
      answered(
        family === 4
          ? resolver.resolve4(name, { ttl: true })
          : resolver.resolve6(name, { ttl: true }),
      ),
    services: (name) => answered(resolver.resolveSrv(name)),
    cancel: () => resolver.cancel(),
  };
}

/** `NXDOMAIN`, and no records of the kind. */
const noneCodes: readonly unknown[] = ["ENOTFOUND", "ENODATA"];

async function answered<Record>(asked: Promise<readonly Record[]>): Promise<DnsAnswer<Record>> {
  try {
    const records = await asked;
    if (records.length > 0) return { kind: "found", records };
    return { kind: "none", reason: "ENODATA" };
  } catch (error) {
    const { code, message } = Object(error) as { code?: unknown; message?: unknown };
    const reason = String(code ?? message);
    return { kind: noneCodes.includes(code) ? "none" : "failed", reason };
  }
}
