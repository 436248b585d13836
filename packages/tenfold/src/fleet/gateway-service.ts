import type { Route } from "../gateway/route-table.ts";
import { invalidOption } from "../runtime/options.ts";
import { defineService, type Service } from "./service.ts";

/** The gateway as a process of a fleet: its setting `routes` is what the fleet file says. */
export const gatewayService: Service = defineService({
  name: "gateway",
  async start({ instance, settings, resolver, runtime, metrics }) {
    const { routes } = settings;
    if (!Array.isArray(routes)) throw invalidOption("routes", "a list of routes", routes);
    const { createGateway } = await import("../gateway/gateway.ts");
    const gateway = await createGateway({
      listen: { host: instance.address, port: instance.port },
      routes: routes as Route[],
      resolver,
      balancing: { zone: { own: instance.zone } },
      metrics,
      runtime,
    });
    return { close: () => gateway.close() };
  },
});
