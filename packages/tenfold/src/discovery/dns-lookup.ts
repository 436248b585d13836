import type { DnsAnswer, DnsClient } from "./dns-client.ts";
import type { DnsName } from "./dns-name.ts";
import { addressEndpoints, type ServiceTarget, serviceGroups } from "./dns-records.ts";
import type { Endpoint } from "./endpoint.ts";

/** The endpoints behind a name, the most preferred group first; address records make one group. */
export type DnsLookup =
  | {
      readonly kind: "found";
      readonly groups: readonly (readonly Endpoint[])[];
      readonly ttlMs: number;
    }
  | { readonly kind: "none" | "failed"; readonly reason: string };

export interface DnsLookupOptions {
  readonly client: DnsClient;
  /** any: IPv4 where there is some, else IPv6. An instance is not listed under both. */
  readonly family: 4 | 6 | "any";
  readonly zone: string;
}

/** SRV targets that are looked up; more are left out. */
export const dnsTargetsMax = 256;

/** An SRV record's own time to live is not told by c-ares: its targets' addresses' counts. */
export async function dnsLookup(name: DnsName, options: DnsLookupOptions): Promise<DnsLookup> {
  const { client, zone } = options;
  if (name.kind === "addresses") {
    const answer = await addresses(name.name, options);
    if (answer.kind !== "found") return answer;
    const groups = [addressEndpoints(answer.records, name.port, zone)];
    return { kind: "found", groups, ttlMs: lowestTtlMs(answer.records) };
  }
  const services = await client.services(name.name);
  if (services.kind !== "found") return services;
  // A single target "." says that the service is decidedly not there.
  const records = services.records.filter(({ name: target }) => target !== "" && target !== ".");
  const asked = await Promise.all(
    records.slice(0, dnsTargetsMax).map(async (record) => {
      const answer = await addresses(record.name, options);
      return { record, answer };
    }),
  );
  const targets: ServiceTarget[] = [];
  let ttlMs = Number.POSITIVE_INFINITY;
  for (const { record, answer } of asked) {
    // Half an answer would take instances out that may be well.
    if (answer.kind === "failed") return answer;
    if (answer.kind === "none") continue;
    targets.push({ ...record, addresses: answer.records.map(({ address }) => address) });
    ttlMs = Math.min(ttlMs, lowestTtlMs(answer.records));
  }
  if (targets.length === 0) return { kind: "none", reason: "its SRV records name nothing" };
  return { kind: "found", groups: serviceGroups(targets, zone), ttlMs };
}

async function addresses(
  name: string,
  { client, family }: DnsLookupOptions,
): Promise<DnsAnswer<{ readonly address: string; readonly ttl: number }>> {
  if (family !== "any") return await client.addresses(name, family);
  const four = await client.addresses(name, 4);
  return four.kind === "none" ? await client.addresses(name, 6) : four;
}

function lowestTtlMs(records: readonly { readonly ttl: number }[]): number {
  return Math.min(...records.map(({ ttl }) => ttl)) * 1_000;
}
