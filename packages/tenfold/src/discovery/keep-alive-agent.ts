import { Agent } from "node:http";

import type { Endpoint } from "./endpoint.ts";

/** Closes idle connections before the server does, so that the race between the two stays rare. */
export function keepAliveAgent(connectionsMax: number): Agent {
  // Four seconds idle: Node's servers close after five, and say so in a header that it heeds too.
  return new Agent({ keepAlive: true, maxSockets: connectionsMax, timeout: 4_000 });
}

/** Closes idle connections to an endpoint that left, before its server does. */
export function closeIdle(agent: Agent, endpoint: Endpoint): void {
  const name = agent.getName({ host: endpoint.address, port: endpoint.port });
  for (const socket of agent.freeSockets[name] ?? []) socket.destroy();
}
