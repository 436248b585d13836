import { join } from "node:path";

import { TenfoldError } from "../runtime/errors.ts";
import type { FleetDefinition, HostDefinition, PostgresStore } from "./fleet-definition.ts";

/** coordinator, gateway, queue and console are services of Tenfold's own; service is the user's. */
export type ProcessKind = "coordinator" | "gateway" | "queue" | "console" | "service";

/** One process of ours: everything a supervisor, or a person, must know to start it. */
export interface ProcessPlan {
  readonly kind: ProcessKind;
  /** `posts-2`; singletons have the name of their service. */
  readonly name: string;
  readonly service: string;
  readonly port: number;
  readonly adminPort: number;
  readonly dataFolder: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** The stores that it opens. */
  readonly stores: readonly string[];
}

/** The servers of one store on this host. */
export interface StorePlan {
  readonly name: string;
  readonly definition: PostgresStore;
  /** Its servers get ports from here, ten a shard. */
  readonly portsFrom: number;
  readonly dataFolder: string;
}

/** A host's share of a fleet. */
export interface FleetPlan {
  readonly fleet: string;
  readonly host: string;
  readonly zone: string;
  readonly address: string;
  readonly adminPort: number;
  readonly dataFolder: string;
  readonly processes: readonly ProcessPlan[];
  readonly stores: readonly StorePlan[];
  /** `host:port` of the coordinator. */
  readonly coordinator: string;
  /** What to try, for the person who starts the fleet. */
  readonly hints: readonly string[];
}

export interface PlanOptions {
  /** The folder of this fleet's data on this host. */
  readonly dataFolder: string;
  /**
   * Moves every port: the host's own begin here, and the fixed ones (gateway, console, services)
   * become this + 900 and on, in that order. For a second fleet beside a first.
   */
  readonly portsFrom?: number;
}

export const fleetPlanDefaults: {
  readonly hostName: string;
  readonly address: string;
  readonly zone: string;
  readonly portsFrom: number;
} = Object.freeze({ hostName: "local", address: "127.0.0.1", zone: "local", portsFrom: 18_000 });

/** A host's ports, as offsets: processes, then store servers, then the fixed ones when moved. */
const portRanges = Object.freeze({ processes: 0, stores: 500, fixed: 900, end: 1_000 });
const portsEachShard = 10;

/**
 * What runs where: a pure function of the fleet file, so that every reader of the file computes
 * the same plan. Ports follow the order in the file; two a process (service and admin).
 *
 * @throws TENFOLD_FLEET_DEFINITION_INVALID when ports collide or run out, or a settings function
 * asks for a service that is not there
 */
export function planFleet(fleet: FleetDefinition, options: PlanOptions): FleetPlan {
  const [host, definition] = onlyHost(fleet);
  const address = definition.address ?? fleetPlanDefaults.address;
  const base = options.portsFrom ?? definition.portsFrom ?? fleetPlanDefaults.portsFrom;
  const ports = portSource(base, options.portsFrom !== undefined);
  const adminPort = ports.next();
  const bare = { settings: {}, stores: [] };
  const own = (kind: ProcessKind, name: string, fixed?: number) => ({
    ...bare,
    kind,
    name,
    service: name,
    port: fixed === undefined ? ports.next() : ports.fixed(fixed),
    adminPort: ports.next(),
    dataFolder: join(options.dataFolder, name),
  });

  const coordinator = own("coordinator", "coordinator");
  const queues = Object.entries(fleet.queues ?? {}).map(([name, queue]) => ({
    ...own("queue", `queue-${name}`),
    settings: { queue: name, waitingMax: queue.waitingMax },
  }));
  const gateway = fleet.gateway && own("gateway", "gateway", fleet.gateway.port);
  const console = fleet.console && own("console", "console", fleet.console.port);
  const services = planServices(fleet, options.dataFolder, ports);
  const known = [...services, ...(gateway ? [gateway] : []), ...(console ? [console] : [])];
  const places = { addressOf: (service: string) => addressOf(known, address, service) };

  return {
    fleet: fleet.name,
    host,
    zone: definition.zone ?? fleetPlanDefaults.zone,
    address,
    adminPort,
    dataFolder: options.dataFolder,
    coordinator: `${address}:${coordinator.port}`,
    processes: [
      coordinator,
      ...queues,
      ...services.map((service) => {
        const { settings } = fleet.services[service.service] ?? {};
        return {
          ...service,
          settings: typeof settings === "function" ? settings(places) : (settings ?? {}),
        };
      }),
      ...(gateway ? [{ ...gateway, settings: { routes: fleet.gateway?.routes } }] : []),
      ...(console
        ? [
            {
              ...console,
              settings: { supervisor: `http://${address}:${adminPort}`, uses: usesOf(fleet) },
            },
          ]
        : []),
    ],
    stores: planStores(fleet, options.dataFolder, base),
    hints: fleet.hints?.(places) ?? [],
  };
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

function planServices(
  fleet: FleetDefinition,
  folder: string,
  ports: ReturnType<typeof portSource>,
): Omit<ProcessPlan, "settings">[] {
  return Object.entries(fleet.services).flatMap(([service, definition]) =>
    Array.from({ length: definition.instances ?? 1 }, (_, index) => {
      const name = `${service}-${index + 1}`;
      return {
        kind: "service" as const,
        name,
        service,
        port: definition.port === undefined ? ports.next() : ports.fixed(definition.port),
        adminPort: ports.next(),
        dataFolder: join(folder, name),
        stores: definition.stores ?? [],
      };
    }),
  );
}

function planStores(fleet: FleetDefinition, folder: string, base: number): StorePlan[] {
  let portsFrom = base + portRanges.stores;
  return Object.entries(fleet.stores ?? {}).map(([name, definition]) => {
    const plan = { name, definition, portsFrom, dataFolder: join(folder, `store-${name}`) };
    portsFrom += portsEachShard * definition.shards;
    if (portsFrom > base + portRanges.fixed) throw tooMany("shards");
    return plan;
  });
}

function onlyHost(fleet: FleetDefinition): [string, HostDefinition] {
  const [first] = Object.entries(fleet.hosts ?? {});
  return first ?? [fleetPlanDefaults.hostName, {}];
}

function portSource(base: number, move: boolean) {
  let port = base + portRanges.processes;
  let moved = base + portRanges.fixed;
  const given = new Set<number>();
  return {
    next(): number {
      if (port === base + portRanges.stores) throw tooMany("processes");
      return port++;
    },
    fixed(wanted: number): number {
      if (moved === base + portRanges.end) throw tooMany("fixed ports");
      if (move) return moved++;
      const ours = wanted >= base && wanted < base + portRanges.end;
      if (ours || given.has(wanted)) throw portTwice(wanted, base);
      given.add(wanted);
      return wanted;
    },
  };
}

function portTwice(port: number, base: number): TenfoldError {
  return new TenfoldError(
    "TENFOLD_FLEET_DEFINITION_INVALID",
    `Fleet file: port ${port} is given to two. Fixed ports must differ, and be outside of ` +
      `${base} … ${base + portRanges.end - 1}, which the host uses itself.`,
  );
}

function tooMany(what: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_FLEET_DEFINITION_INVALID",
    `Fleet file: one host has room for 249 processes, 40 shards and 100 fixed ports; there are ` +
      `more ${what}.`,
  );
}

function addressOf(
  services: readonly Pick<ProcessPlan, "service" | "port">[],
  address: string,
  wanted: string,
): string {
  const found = services.find(({ service }) => service === wanted);
  if (found !== undefined) return `${address}:${found.port}`;
  throw new TenfoldError(
    "TENFOLD_FLEET_DEFINITION_INVALID",
    `Fleet file: addressOf("${wanted}"): the fleet has no such service.`,
  );
}
