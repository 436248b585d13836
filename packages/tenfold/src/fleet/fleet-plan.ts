import { join } from "node:path";

import { type PostgresShard, postgresShardPlan } from "../engines/postgres/shard-plan.ts";
import { TenfoldError } from "../runtime/errors.ts";
import type { CoordinatorAccess } from "./coordinator-access.ts";
import { assignFleet, type FleetAssignment } from "./fleet-assignment.ts";
import type { FleetDefinition, PostgresStore } from "./fleet-definition.ts";
import type { Site } from "./host-assignment.ts";
import { type HostPorts, hostPorts } from "./host-ports.ts";

/** All but `service` are services of Tenfold's own; that is the user's. */
export type ProcessKind = "coordinator" | "gateway" | "queue" | "console" | "registry" | "service";

/** One process of ours: everything a supervisor, or a person, must know to start it. */
export interface ProcessPlan {
  readonly kind: ProcessKind;
  /** `posts-2`; singletons have the name of their service, gateways of several hosts the host's. */
  readonly name: string;
  readonly service: string;
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly adminPort: number;
  readonly settings: Readonly<Record<string, unknown>>;
  /** The stores that it opens. */
  readonly stores: readonly string[];
}

/** The servers of one store. */
export interface StorePlan {
  readonly name: string;
  readonly definition: PostgresStore;
  /** All of them, wherever they run; none of servers given by URL. */
  readonly shards: readonly PostgresShard[];
  /** By server, its host. */
  readonly hosts: ReadonlyMap<string, string>;
  readonly dataFolder: string;
}

export interface HostPlan extends Site {
  readonly address: string;
  /** Where its supervisor is asked. */
  readonly adminPort: number;
}

/** A host's share of a fleet, and where the rest is. */
export interface FleetPlan {
  readonly fleet: string;
  readonly host: string;
  readonly zone: string;
  readonly address: string;
  readonly adminPort: number;
  readonly dataFolder: string;
  /** What this host runs. */
  readonly processes: readonly ProcessPlan[];
  /** What the hosts run together, this one included. */
  readonly fleetProcesses: readonly ProcessPlan[];
  readonly hosts: readonly HostPlan[];
  readonly stores: readonly StorePlan[];
  /** `etcd://HOST:PORT,…` */
  readonly coordinator: string;
  /** What the coordinator asks for; undefined: it is the fleet's own, and asks for its token. */
  readonly coordinatorAccess: CoordinatorAccess | undefined;
  /** What to try, for the person who starts the fleet. */
  readonly hints: readonly string[];
}

export interface PlanOptions {
  /** The folder of this fleet's data on this host. */
  readonly dataFolder: string;
  /** Which host's share; may be left out when there is one, or when only the rest matters. */
  readonly host?: string;
  /** `etcd://HOST:PORT,…` of an etcd that runs, whatever the file says. */
  readonly coordinator?: string;
  /**
   * Moves every port: each host's own begin here, and the fixed ones (gateway, console, services)
   * become this + 900 and on, in that order. For a second fleet beside a first; it mends no file
   * whose own ports collide, since the fleet's processes plan by the file alone.
   */
  readonly portsFrom?: number;
}

export const fleetPlanDefaults: {
  readonly hostName: string;
  readonly address: string;
  readonly zone: string;
  readonly portsFrom: number;
} = Object.freeze({ hostName: "local", address: "127.0.0.1", zone: "local", portsFrom: 18_000 });

/**
 * What runs where: a pure function of the fleet file, so that every reader of the file computes
 * the same plan. Ports follow the order in the file; two a process (service and admin).
 *
 * @throws TENFOLD_FLEET_DEFINITION_INVALID when ports collide or run out, or a settings function
 * asks for a service that is not there; TENFOLD_FLEET_HOST_UNKNOWN; TENFOLD_FLEET_SINGLE_POINT for
 * an embedded coordinator with several hosts
 */
export function planFleet(fleet: FleetDefinition, options: PlanOptions): FleetPlan {
  const rooms = planHosts(fleet, options);
  const own = ownHost(rooms, options.host);
  const external = externalCoordinator(fleet, options, rooms);
  const assignment = assignFleet(fleet, rooms);
  const all = planProcesses(fleet, rooms, assignment, external === undefined);
  const coordinator = all.find(({ kind }) => kind === "coordinator");
  // A person at this host is told its own gateway; a setting must be the same on every host.
  const nearest = all.toSorted((a, b) => apartFrom(a, own.name) - apartFrom(b, own.name));
  return {
    fleet: fleet.name,
    host: own.name,
    zone: own.zone,
    address: own.address,
    adminPort: own.adminPort,
    dataFolder: options.dataFolder,
    processes: all.filter(({ host }) => host === own.name),
    fleetProcesses: all,
    hosts: rooms.map(({ name, zone, address, adminPort }) => ({ name, zone, address, adminPort })),
    stores: planStores(fleet, options.dataFolder, rooms, assignment),
    coordinator: external?.url ?? `etcd://${coordinator?.address}:${coordinator?.port}`,
    coordinatorAccess: external?.access,
    hints: fleet.hints?.({ addressOf: (service) => addressOf(nearest, service) }) ?? [],
  };
}

/** A host with the ports that it has left. */
interface HostRoom extends HostPlan {
  readonly ports: HostPorts;
}

function planHosts(fleet: FleetDefinition, options: PlanOptions): readonly HostRoom[] {
  const { hostName, address, zone, portsFrom } = fleetPlanDefaults;
  return Object.entries(fleet.hosts ?? { [hostName]: {} }).map(([name, host]) => {
    const ports = hostPorts(host.portsFrom ?? portsFrom, options.portsFrom);
    const where = { address: host.address ?? address, zone: host.zone ?? zone };
    return { name, ...where, adminPort: ports.next(), ports };
  });
}

function ownHost(rooms: readonly HostRoom[], wanted: string | undefined): HostRoom {
  const own = wanted === undefined ? rooms[0] : rooms.find(({ name }) => name === wanted);
  if (own !== undefined) return own;
  throw new TenfoldError(
    "TENFOLD_FLEET_HOST_UNKNOWN",
    `The fleet file has no host "${wanted}"; it has ${rooms.map(({ name }) => name).join(", ")}.`,
  );
}

function externalCoordinator(
  { coordinator }: FleetDefinition,
  options: PlanOptions,
  hosts: readonly Site[],
): { readonly url: string; readonly access: CoordinatorAccess } | undefined {
  const said = coordinator?.kind === "etcd" ? coordinator : undefined;
  const url = options.coordinator ?? said?.url;
  if (url !== undefined) return { url, access: said?.access ?? {} };
  if (hosts.length === 1) return undefined;
  throw new TenfoldError(
    "TENFOLD_FLEET_SINGLE_POINT",
    "The embedded coordinator is one process, which several hosts cannot share: name an etcd, by " +
      'coordinator: etcd("etcd://HOST:PORT,…") in the fleet file or by --coordinator.',
  );
}

function planProcesses(
  fleet: FleetDefinition,
  rooms: readonly HostRoom[],
  assignment: FleetAssignment,
  embedded: boolean,
): readonly ProcessPlan[] {
  const own = (kind: ProcessKind, service: string, host: string, fixed?: number) => {
    const room = rooms.find(({ name }) => name === host) as HostRoom;
    const { address, ports } = room;
    const port = fixed === undefined ? ports.next() : ports.fixed(fixed);
    const where = { host, address, port, adminPort: ports.next() };
    return { kind, name: service, service, ...where, settings: {}, stores: [] };
  };
  const onEach = (
    kind: "gateway" | "console" | "registry",
    hosts: readonly string[],
    fixed: number,
  ) =>
    hosts.map((host) => {
      const name = rooms.length === 1 ? kind : `${kind}-${host}`;
      return { ...own(kind, kind, host, fixed), name };
    });

  // The order gives the ports; it is not that of the start.
  const coordinators = embedded ? [own("coordinator", "coordinator", rooms[0]?.name ?? "")] : [];
  const queues = [...assignment.queues].map(([name, host]) => ({
    ...own("queue", `queue-${name}`, host),
    settings: { queue: name, waitingMax: fleet.queues?.[name]?.waitingMax },
  }));
  const gateways = onEach("gateway", assignment.gateways, fleet.gateway?.port ?? 0);
  const consoles = onEach("console", assignment.consoles, fleet.console?.port ?? 0);
  const registries = onEach("registry", assignment.registries, fleet.registry?.port ?? 0);
  const services = Object.entries(fleet.services).flatMap(([service, { port, stores = [] }]) =>
    (assignment.services.get(service) ?? []).map((host, index) => {
      const name = `${service}-${index + 1}`;
      return { ...own("service", service, host, port), name, stores };
    }),
  );
  const known = [...services, ...gateways, ...consoles, ...registries];
  const places = { addressOf: (service: string) => addressOf(known, service) };
  const supervisorOf = ({ host }: ProcessPlan): string => {
    const { address, adminPort } = rooms.find(({ name }) => name === host) as HostRoom;
    return `http://${address}:${adminPort}`;
  };
  return [
    ...coordinators,
    ...queues,
    ...services.map((service) => {
      const { settings } = fleet.services[service.service] ?? {};
      const said = typeof settings === "function" ? settings(places) : (settings ?? {});
      return { ...service, settings: said };
    }),
    ...gateways.map((each) => ({ ...each, settings: gatewaySettings(fleet) })),
    ...consoles.map((each) => ({
      ...each,
      settings: { supervisor: supervisorOf(each), uses: usesOf(fleet) },
    })),
    ...registries,
  ];
}

/** Who calls whom as far as the file says, for the console to draw: routes, queues, stores. */
function usesOf(fleet: FleetDefinition): Readonly<Record<string, readonly string[]>> {
  const services = Object.entries(fleet.services).map(([name, { queues = [], stores = [] }]) => [
    name,
    [...queues.map((queue) => `queue-${queue}`), ...stores.map((store) => `store/${store}`)],
  ]);
  const routed = new Set(fleet.gateway?.routes.map(({ service }) => service));
  return Object.fromEntries([["gateway", [...routed]], ...services]);
}

function planStores(
  fleet: FleetDefinition,
  folder: string,
  rooms: readonly HostRoom[],
  assignment: FleetAssignment,
): StorePlan[] {
  return Object.entries(fleet.stores ?? {}).map(([name, definition]) => {
    const dataFolder = join(folder, `store-${name}`);
    const byShard = assignment.stores.get(name) ?? [];
    const bases = new Map(rooms.map((room) => [room.name, room.ports.shards(definition.shards)]));
    const roomOf = (shard: number, member: number): HostRoom =>
      rooms.find((room) => room.name === byShard[shard]?.[member - 1]) as HostRoom;
    const { standbys } = definition;
    const shards = postgresShardPlan({
      store: name,
      shards: byShard.length,
      standbys,
      folder: dataFolder,
      place(shard, member) {
        const { name: host, address } = roomOf(shard, member);
        return { address, portsFrom: bases.get(host) as number };
      },
    });
    const hosts = shards.flatMap(({ servers }, shard) =>
      servers.map((server) => [server.name, roomOf(shard, server.member).name] as const),
    );
    return { name, definition, shards, hosts: new Map(hosts), dataFolder };
  });
}

function apartFrom({ host }: ProcessPlan, own: string): number {
  return host === own ? 0 : 1;
}

function addressOf(processes: readonly ProcessPlan[], wanted: string): string {
  const found = processes.find(({ service }) => service === wanted);
  if (found !== undefined) return `${found.address}:${found.port}`;
  throw new TenfoldError(
    "TENFOLD_FLEET_DEFINITION_INVALID",
    `Fleet file: addressOf("${wanted}"): the fleet has no such service.`,
  );
}

function gatewaySettings({ gateway }: FleetDefinition): Readonly<Record<string, unknown>> {
  return { routes: gateway?.routes, ...(gateway?.nearFirst === true && { nearFirst: true }) };
}
