import { assignData, type DataGroup } from "./data-assignment.ts";
import type { FleetDefinition, PostgresStore } from "./fleet-definition.ts";
import { assignGroups, type Site } from "./host-assignment.ts";

/** Which host runs what of a fleet; every reader of the file computes the same. */
export interface FleetAssignment {
  /** By service, the host of each instance. */
  readonly services: ReadonlyMap<string, readonly string[]>;
  /** By queue. */
  readonly queues: ReadonlyMap<string, string>;
  /** By store, by shard, the host of each server, the primary's first. */
  readonly stores: ReadonlyMap<string, readonly (readonly string[])[]>;
  readonly gateways: readonly string[];
  readonly consoles: readonly string[];
  readonly registries: readonly string[];
}

export function assignFleet(fleet: FleetDefinition, sites: readonly Site[]): FleetAssignment {
  const all = sites.map(({ name }) => name);
  const stores = Object.entries(fleet.stores ?? {});
  const queues = Object.entries(fleet.queues ?? {});
  const data = assignData(sites, [
    ...stores.flatMap(([name, store]) => shardGroups(name, store)),
    ...queues.map(([name, { hosts }]) => ({ name: `queue-${name}`, count: 1, hosts })),
  ]);
  const services = Object.entries(fleet.services).map(([name, service]) => ({
    name,
    count: service.instances ?? 1,
    spread: service.spread ?? "zone",
    hosts: service.hosts,
  }));
  return {
    services: assignGroups(sites, services),
    queues: new Map(
      queues.map(([name]) => [name, (data.get(`queue-${name}`) ?? all)[0] as string]),
    ),
    stores: new Map(
      stores.map(([name, store]) => [
        name,
        shardGroups(name, store).map((group) => data.get(group.name) ?? []),
      ]),
    ),
    gateways: fleet.gateway === undefined ? [] : (fleet.gateway.hosts ?? all),
    consoles: fleet.console === undefined ? [] : (fleet.console.hosts ?? all.slice(0, 1)),
    registries: fleet.registry === undefined ? [] : (fleet.registry.hosts ?? all),
  };
}

function shardGroups(name: string, store: PostgresStore): DataGroup[] {
  if (store.urls !== undefined) return [];
  return Array.from({ length: store.shards }, (_, shard) => ({
    name: `store-${name}-${shard}`,
    count: 1 + store.standbys,
    hosts: store.hosts,
  }));
}
