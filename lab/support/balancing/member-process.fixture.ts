// A member of the service `work`, or a gateway before it, in a process of its own; started by
// `member-processes.ts`.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { setTimeout as pause } from "node:timers/promises";

import { createKeptSession } from "tenfold/coordination";
import { coordinatorResolver, createRegistrar } from "tenfold/discovery";
import { connectEtcd } from "tenfold/engines/etcd";
import { createGateway } from "tenfold/gateway";

export interface MemberSettings {
  readonly role: "member" | "gateway";
  /** The coordinator's. */
  readonly endpoint: string;
  readonly fleet: string;
  readonly id: string;
}

export interface MemberReady {
  readonly port: number;
  /** Wall clock, when a member asked to be listed, or a gateway listened. */
  readonly askedAtMs: number;
}

/** A member that is told to end takes no new calls from then on; those under way have so long. */
const drainMs = 500;
const sessionTtlMs = 2_000;

const { role, endpoint, fleet, id } = JSON.parse(process.env.MEMBER ?? "") as MemberSettings;
const coordinator = connectEtcd({ endpoints: endpoint });
const tell = (ready: MemberReady): void => void process.send?.(ready);
process.on("disconnect", () => process.exit(0));
if (role === "gateway") await beGateway();
else await beMember();

async function beGateway(): Promise<void> {
  const gateway = await createGateway({
    listen: { host: "127.0.0.1", port: 0 },
    routes: [{ path: "/", service: "work" }],
    resolver: coordinatorResolver(coordinator, { fleet }),
  });
  tell({ port: gateway.address.port, askedAtMs: Date.now() });
}

/** Answers every request with its own id, at once. */
async function beMember(): Promise<void> {
  const server = createServer({ keepAliveTimeout: 120_000 }, (_request, response) => {
    response.end(id);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const session = createKeptSession(coordinator, { ttlMs: sessionTtlMs });
  await session.opened();
  const askedAtMs = Date.now();
  const place = { address: "127.0.0.1", port, adminPort: port, protocol: "http" } as const;
  const registrar = createRegistrar({
    coordinator,
    session,
    fleet,
    member: {
      ...place,
      id,
      service: "work",
      host: hostname(),
      zone: "default",
      version: "1",
      weight: 1,
      pid: process.pid,
      startedAtMs: askedAtMs,
    },
  });
  await registrar.registered;
  process.once("SIGTERM", async () => {
    await registrar.deregister();
    await pause(drainMs);
    server.close();
    server.closeIdleConnections();
    await session.close();
    process.exit(0);
  });
  tell({ port, askedAtMs });
}
