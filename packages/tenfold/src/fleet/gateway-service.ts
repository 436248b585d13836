import type { Route } from "../gateway/route-table.ts";
import { invalidOption } from "../runtime/options.ts";
import { defineService, type Service } from "./service.ts";

/**
 * The gateway as a process of a fleet: its setting `routes` is what the fleet file says. With
 * `nearFirst` members in its own zone come first: for a gateway in every zone, each with its part
 * of the users, since one alone would send all of them to its own zone.
 */
export const gatewayService: Service = defineService({
  name: "gateway",
  async start({ instance, settings, resolver, runtime, metrics }) {
    const { routes, nearFirst = false } = settings;
    if (!Array.isArray(routes)) throw invalidOption("routes", "a list of routes", routes);
    if (typeof nearFirst !== "boolean") throw invalidOption("nearFirst", "a boolean", nearFirst);
    const { createGateway } = await import("../gateway/gateway.ts");
    const gateway = await createGateway({
      listen: { host: instance.address, port: instance.port },
      routes: routes as Route[],
      resolver,
      ...(nearFirst && { balancing: { zone: { own: instance.zone } } }),
      metrics,
      runtime,
    });
    return { close: () => gateway.close() };
  },
});
