import { checkWeight } from "../balancing/candidate.ts";
import { TenfoldError } from "../runtime/errors.ts";
import type { Endpoint, Resolver } from "./endpoint.ts";

/** An endpoint as a person writes it: address and port, the rest by default. */
export type StaticEndpoint = Pick<Endpoint, "address" | "port"> & Partial<Endpoint>;

/** Endpoints of one service: a list, or a text such as `10.0.0.7:8080,[fd00::7]:8080`. */
export type StaticEndpoints = readonly StaticEndpoint[] | string;

/**
 * A resolver over fixed lists: no coordinator needed. A service that has no list has no endpoints.
 *
 * @param services a list each, or one list for whatever service is asked for
 * @throws TENFOLD_DISCOVERY_ADDRESS_INVALID for a text that is no list of `host:port`,
 *   TENFOLD_BALANCING_WEIGHT_INVALID for a weight that is neither 0 nor from 10⁻⁶ to 10⁶
 * @example staticResolver({ posts: "10.0.0.7:8080,10.0.0.8:8080" })
 */
export function staticResolver(
  services: Readonly<Record<string, StaticEndpoints>> | string,
): Resolver {
  const complete = (list: StaticEndpoints): readonly Endpoint[] => {
    const given = typeof list === "string" ? parseEndpoints(list) : list;
    const endpoints = given.map(completeEndpoint);
    for (const endpoint of endpoints) checkWeight(endpoint);
    return endpoints;
  };
  const all = typeof services === "string" ? complete(services) : undefined;
  const lists = new Map(
    typeof services === "string"
      ? []
      : Object.entries(services).map(([service, list]) => [service, complete(list)]),
  );
  return {
    async *watch(service, { signal } = {}) {
      yield all ?? lists.get(service) ?? [];
      if (signal === undefined || signal.aborted) return;
      await new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    },
  };
}

/** An endpoint with everything that was left out by default. */
export function completeEndpoint(given: StaticEndpoint): Endpoint {
  const id = hostAndPort(given);
  return { id, protocol: "http", zone: "default", version: "unknown", weight: 1, ...given };
}

/** `10.0.0.7:8080`, `[fd00::7]:8080`. */
export function hostAndPort({ address, port }: Pick<Endpoint, "address" | "port">): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

const endpointsMax = 10_000;

function parseEndpoints(list: string): StaticEndpoint[] {
  const parts = list.split(",").map((part) => part.trim());
  if (parts.length > endpointsMax) {
    throw invalid(`at most ${endpointsMax} endpoints`, String(parts.length));
  }
  const endpoints = parts.map((part) => {
    const parsed = parseHostAndPort(part);
    if (parsed === undefined) throw invalid('"host:port", several apart by ","', part);
    return parsed;
  });
  const twice = parts.find((part, at) => parts.indexOf(part) !== at);
  if (twice !== undefined) throw invalid("every endpoint once", twice);
  return endpoints;
}

/** `host:port`, `1.2.3.4:port` or `[v6]:port`; undefined for anything else. */
export function parseHostAndPort(
  text: string,
): { readonly address: string; readonly port: number } | undefined {
  const [, v6, name, digits] = /^(?:\[([0-9a-f:.]+)\]|([\w.-]+)):(\d{1,5})$/i.exec(text) ?? [];
  const port = Number(digits);
  const address = v6 ?? name;
  if (address === undefined || port < 1 || port > 65_535) return undefined;
  return { address, port };
}

function invalid(expected: string, came: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_DISCOVERY_ADDRESS_INVALID",
    `A list of endpoints must have ${expected}, got ${JSON.stringify(came.slice(0, 80))}.`,
  );
}
