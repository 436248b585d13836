import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createKeptSession } from "tenfold/coordination";
import { createRegistrar } from "tenfold/discovery";
import { connectEtcd } from "tenfold/engines/etcd";

/** One instance of a service as a process of its own, to be killed: answers its name. */
const { ENDPOINTS = "", TOKEN, NAME = "", SERVICE = "", TTL_MS } = process.env;
const server = createServer((_request, response) => void response.end(NAME));
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as AddressInfo;
const coordinator = connectEtcd({ endpoints: ENDPOINTS, token: TOKEN });
const registrar = createRegistrar({
  coordinator,
  session: createKeptSession(coordinator, { ttlMs: Number(TTL_MS) }),
  fleet: "lab",
  member: {
    id: NAME,
    service: SERVICE,
    host: "local",
    zone: "local",
    address: "127.0.0.1",
    port,
    protocol: "http",
    version: "1",
    weight: 1,
    pid: process.pid,
    startedAtMs: Date.now(),
  },
});
await registrar.registered;
process.stdout.write("registered\n");
process.on("disconnect", () => process.exit(0));
