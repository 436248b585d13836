import { isIP } from "node:net";

import { parseEtcdEndpoints } from "../engines/etcd/endpoints.ts";
import { errorText, TenfoldError } from "../runtime/errors.ts";
import { checkCoordinatorAccess } from "./coordinator-access.ts";
import type { FleetDefinition } from "./fleet-definition.ts";

const namePattern = /^[a-z][a-z0-9-]{0,38}[a-z0-9]$|^[a-z]$/;
/** Names that the fleet gives to processes of its own. */
export const reservedServices: readonly string[] = Object.freeze([
  "coordinator",
  "console",
  "gateway",
  "registry",
  "supervisor",
]);
const sections = [
  "name",
  "hosts",
  "coordinator",
  "gateway",
  "console",
  "registry",
  "services",
  "stores",
  "queues",
  "hints",
];

const serviceKeys = [
  "module",
  "instances",
  "spread",
  "hosts",
  "port",
  "settings",
  "stores",
  "queues",
];

/** @throws TENFOLD_FLEET_DEFINITION_INVALID or TENFOLD_FLEET_SINGLE_POINT at the first mistake. */
export function validateFleet(fleet: FleetDefinition): void {
  knownKeys("the fleet", fleet, sections);
  checkName("name", fleet.name);
  checkHosts(fleet);
  checkCoordinator(fleet);
  checkStores(fleet);
  checkQueues(fleet);
  checkServices(fleet);
  checkGateway(fleet);
  if (fleet.hints !== undefined && typeof fleet.hints !== "function") {
    throw invalid("hints", "a function that returns texts", fleet.hints);
  }
  for (const at of ["console", "registry"] as const) {
    const section = fleet[at];
    if (section === undefined) continue;
    knownKeys(at, section, ["port", "hosts"]);
    whole(`${at}.port`, section.port, 1, 65_535);
    hostNames(`${at}.hosts`, section.hosts, fleet);
  }
}

function checkCoordinator({ coordinator }: FleetDefinition): void {
  if (coordinator === undefined) return;
  oneOf("coordinator.kind", Object(coordinator).kind, ["embedded", "etcd"]);
  const isEtcd = coordinator.kind === "etcd";
  knownKeys("coordinator", coordinator, isEtcd ? ["kind", "url", "access"] : ["kind"]);
  if (!isEtcd) return;
  try {
    parseEtcdEndpoints(coordinator.url);
    checkCoordinatorAccess(coordinator.access);
  } catch (error) {
    throw new TenfoldError(
      "TENFOLD_FLEET_DEFINITION_INVALID",
      `Fleet file: coordinator: ${errorText(error)}`,
      { cause: error, details: { at: "coordinator" } },
    );
  }
}

function checkHosts(fleet: FleetDefinition): void {
  if (fleet.hosts === undefined) return;
  const hosts = entries("hosts", fleet.hosts);
  if (hosts.length === 0 || hosts.length > 100) {
    throw invalid("hosts", "1 to 100 hosts", hosts.length);
  }
  const addresses = new Set<string>();
  for (const [name, host] of hosts) {
    checkName(`hosts.${name}`, name);
    knownKeys(`hosts.${name}`, host, ["address", "zone", "portsFrom"]);
    const { address, zone, portsFrom } = host;
    if (address !== undefined && isIP(address) !== 4) {
      throw invalid(`hosts.${name}.address`, "an IPv4 address", address);
    }
    const bindsTo = address ?? "127.0.0.1";
    if (addresses.has(bindsTo)) throw invalid(`hosts.${name}.address`, "its own", bindsTo);
    addresses.add(bindsTo);
    if (zone !== undefined) checkName(`hosts.${name}.zone`, zone);
    if (portsFrom !== undefined) whole(`hosts.${name}.portsFrom`, portsFrom, 1_024, 64_000);
  }
}

function checkServices(fleet: FleetDefinition): void {
  const services = entries("services", fleet.services);
  if (services.length === 0) throw invalid("services", "at least one service", "none");
  for (const [name, service] of services) {
    const at = `services.${name}`;
    checkName(at, name);
    if (reservedServices.includes(name) || name.startsWith("queue-") || name.startsWith("pg-")) {
      throw invalid(at, "a name that the fleet does not use itself", name);
    }
    knownKeys(at, service, serviceKeys);
    if (service.spread !== undefined) oneOf(`${at}.spread`, service.spread, ["zone", "host"]);
    hostNames(`${at}.hosts`, service.hosts, fleet);
    if (typeof service.module !== "string" || !/\.(ts|js|mjs)$/.test(service.module)) {
      throw invalid(`${at}.module`, "the path of a .ts or .js module", service.module);
    }
    if (service.instances !== undefined) whole(`${at}.instances`, service.instances, 1, 99);
    if (service.port !== undefined) {
      whole(`${at}.port`, service.port, 1, 65_535);
      whole(`${at}.instances, beside a fixed port,`, service.instances ?? 1, 1, 1);
    }
    const { settings } = service;
    if (settings !== undefined && typeof settings !== "object" && typeof settings !== "function") {
      throw invalid(`${at}.settings`, "an object, or a function that returns one", settings);
    }
    references(`${at}.stores`, service.stores, fleet.stores);
    references(`${at}.queues`, service.queues, fleet.queues);
  }
}

function checkGateway(fleet: FleetDefinition): void {
  const { gateway } = fleet;
  if (gateway === undefined) return;
  knownKeys("gateway", gateway, ["port", "routes", "hosts", "nearFirst"]);
  whole("gateway.port", gateway.port, 1, 65_535);
  const { nearFirst = false } = gateway;
  if (typeof nearFirst !== "boolean") throw invalid("gateway.nearFirst", "a boolean", nearFirst);
  hostNames("gateway.hosts", gateway.hosts, fleet);
  if (!Array.isArray(gateway.routes) || gateway.routes.length === 0) {
    throw invalid("gateway.routes", "at least one route", gateway.routes);
  }
  const seen = new Set<string>();
  for (const [index, route] of gateway.routes.entries()) {
    const at = `gateway.routes[${index}]`;
    knownKeys(at, route, ["path", "service"]);
    if (typeof route.path !== "string" || !/^\/[\w\-./~]*$/.test(route.path)) {
      throw invalid(`${at}.path`, "a path that starts with a slash", route.path);
    }
    if (seen.has(route.path)) throw invalid(`${at}.path`, "a path of its own", route.path);
    seen.add(route.path);
    references(`${at}.service`, [route.service], fleet.services);
  }
}

function checkStores(fleet: FleetDefinition): void {
  for (const [name, store] of entries("stores", fleet.stores ?? {})) {
    const at = `stores.${name}`;
    checkName(at, name);
    knownKeys(at, store, ["kind", "shards", "standbys", "slots", "readFrom", "urls", "hosts"]);
    hostNames(`${at}.hosts`, store.hosts, fleet);
    oneOf(`${at}.kind`, store.kind, ["postgres"]);
    whole(`${at}.shards`, store.shards, 1, 40);
    whole(`${at}.standbys`, store.standbys, 0, 5);
    whole(`${at}.slots`, store.slots, Math.max(2, store.shards), 8_192);
    oneOf(`${at}.readFrom`, store.readFrom, ["primary"]);
    for (const [index, url] of (store.urls ?? []).entries()) {
      if (typeof url === "string" && /^(env|file):.+/.test(url)) continue;
      throw invalid(`${at}.urls[${index}]`, 'a reference: "env:NAME" or "file:/path"', "a literal");
    }
  }
}

function checkQueues(fleet: FleetDefinition): void {
  for (const [name, queue] of entries("queues", fleet.queues ?? {})) {
    const at = `queues.${name}`;
    checkName(at, name);
    knownKeys(at, queue, ["kind", "waitingMax", "singlePointOfFailure", "hosts"]);
    oneOf(`${at}.kind`, queue.kind, ["sqlite"]);
    whole(`${at}.waitingMax`, queue.waitingMax, 1, 100_000_000);
    hostNames(`${at}.hosts`, queue.hosts, fleet);
    if (Object.keys(fleet.hosts ?? {}).length < 2 || queue.singlePointOfFailure === true) continue;
    throw new TenfoldError(
      "TENFOLD_FLEET_SINGLE_POINT",
      `Fleet file: ${at} is one process on one of several hosts, and ends with it: say ` +
        "durableQueue({ singlePointOfFailure: true }) to have it so.",
      { details: { at } },
    );
  }
}

function hostNames(at: string, names: readonly string[] | undefined, fleet: FleetDefinition) {
  if (names === undefined) return;
  references(at, names, fleet.hosts);
  if (names.length === 0) throw invalid(at, "at least one host", "none");
  if (new Set(names).size !== names.length) throw invalid(at, "a list without repetition", names);
}

function entries<T>(at: string, value: Readonly<Record<string, T>>): [string, T][] {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return Object.entries(value);
  }
  throw invalid(at, "an object of names", value);
}

function references(at: string, names: unknown, of: object | undefined): void {
  if (names === undefined) return;
  if (!Array.isArray(names)) throw invalid(at, "a list of names", names);
  for (const name of names) {
    if (of !== undefined && Object.hasOwn(of, name)) continue;
    throw invalid(at, `one of: ${Object.keys(of ?? {}).join(", ") || "(none declared)"}`, name);
  }
}

function knownKeys(at: string, value: unknown, known: readonly string[]): void {
  if (typeof value !== "object" || value === null) throw invalid(at, "an object", value);
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) throw invalid(at, `only the keys ${known.join(", ")}`, key);
  }
}

function checkName(at: string, name: unknown): void {
  if (typeof name === "string" && namePattern.test(name)) return;
  throw invalid(
    at,
    "lower case letters, digits and dashes, starting with a letter, up to 40",
    name,
  );
}

function whole(at: string, value: unknown, min: number, max: number): void {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return;
  throw invalid(at, `a whole number from ${min} to ${max}`, value);
}

function oneOf(at: string, value: unknown, allowed: readonly string[]): void {
  if (!allowed.includes(value as string)) throw invalid(at, allowed.join(" or "), value);
}

function invalid(at: string, expected: string, came: unknown): TenfoldError {
  const text = typeof came === "string" ? JSON.stringify(came) : String(came);
  return new TenfoldError(
    "TENFOLD_FLEET_DEFINITION_INVALID",
    `Fleet file: ${at} must be ${expected}; got ${text.slice(0, 100)}.`,
    { details: { at } },
  );
}
