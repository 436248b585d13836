import type { Endpoint, Resolver } from "./endpoint.ts";

/** An endpoint as a person writes it: address and port, the rest by default. */
export type StaticEndpoint = Pick<Endpoint, "address" | "port"> & Partial<Endpoint>;

/**
 * A resolver over a fixed list: no coordinator needed. A service that is not in the list has no
 * endpoints.
 *
 * @example staticResolver({ posts: [{ address: "10.0.0.7", port: 8080 }] })
 */
export function staticResolver(
  services: Readonly<Record<string, readonly StaticEndpoint[]>>,
): Resolver {
  const lists = new Map(
    Object.entries(services).map(([service, list]) => [service, list.map(completed)]),
  );
  return {
    async *watch(service, { signal } = {}) {
      yield lists.get(service) ?? [];
      if (signal === undefined || signal.aborted) return;
      await new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    },
  };
}

function completed(given: StaticEndpoint): Endpoint {
  const id = `${given.address}:${given.port}`;
  return { id, protocol: "http", zone: "default", version: "unknown", weight: 1, ...given };
}
