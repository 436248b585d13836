import { defineService, type Service } from "./service.ts";

/** The embedded coordinator as a process of a fleet: it listens on the instance's port itself. */
export const coordinatorService: Service = defineService({
  name: "coordinator",
  async start({ instance, runtime, token }) {
    const { createCoordinatorNode } = await import("../engines/coordinator-node/node.ts");
    const node = await createCoordinatorNode({
      listen: { host: instance.address, port: instance.port },
      dataFolder: instance.dataFolder,
      name: instance.fleet,
      token,
      runtime,
    });
    return { close: () => node.close() };
  },
});
