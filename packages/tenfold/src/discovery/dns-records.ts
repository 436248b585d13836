import type { AddressRecord, ServiceRecord } from "./dns-client.ts";
import type { Endpoint } from "./endpoint.ts";
import { completeEndpoint, hostAndPort } from "./static-resolver.ts";

/** An SRV record with the addresses of its target. */
export interface ServiceTarget extends ServiceRecord {
  readonly addresses: readonly string[];
}

/** The endpoints of address records, each with the same weight. */
export function addressEndpoints(
  records: readonly AddressRecord[],
  port: number,
  zone: string,
): readonly Endpoint[] {
  const addresses = [...new Set(records.map(({ address }) => address))].sort();
  return addresses.map((address) => completeEndpoint({ address, port, zone }));
}

/**
 * The endpoints of SRV records as groups, the most preferred (lowest priority number) first. RFC
 * 2782: within a group calls are shared by weight, and where some weights are above 0, those of 0
 * get a very small share. A target's weight is divided by its addresses. The id is the target,
 * which stays when its address changes.
 */
export function serviceGroups(
  targets: readonly ServiceTarget[],
  zone: string,
): readonly (readonly Endpoint[])[] {
  const groups = Map.groupBy(targets, ({ priority }) => priority);
  return [...groups]
    .sort(([a], [b]) => a - b)
    .map(([, group]) => groupEndpoints(group, zone))
    .filter((group) => group.length > 0);
}

/** Beside the smallest weight there is. */
const zeroShare = 0.01;

function groupEndpoints(group: readonly ServiceTarget[], zone: string): readonly Endpoint[] {
  const weighted = group.some(({ weight }) => weight > 0);
  const endpoints = new Map<string, Endpoint>();
  for (const { name, port, weight, addresses } of group) {
    const share = weighted ? Math.max(weight, zeroShare) : 1;
    for (const address of addresses) {
      const target = hostAndPort({ address: name, port });
      const id = addresses.length === 1 ? target : `${target}/${address}`;
      const own = { id, address, port, weight: share / addresses.length, zone };
      if (!endpoints.has(id)) endpoints.set(id, completeEndpoint(own));
    }
  }
  return [...endpoints.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}
