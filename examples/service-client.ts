// Two servers of one service; one of them dies half way. The caller does not notice.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createServiceClient, staticResolver } from "tenfold/discovery";

const servers = [1, 2].map(() => createServer((_, to) => to.end()).listen(0, "127.0.0.1"));
await Promise.all(servers.map((server) => once(server, "listening")));
const greeter = servers.map((server) => server.address() as AddressInfo);
await using client = createServiceClient("greeter", { resolver: staticResolver({ greeter }) });

const statuses: number[] = [];
for (let call = 0; call < 100; call += 1) {
  if (call === 50) servers[0]?.close().closeAllConnections();
  statuses.push((await client.request({ method: "GET", path: "/" })).status);
}
console.log(`${statuses.filter((status) => status === 200).length} of 100 calls answered`);
servers[1]?.close();

// Prints:
// 100 of 100 calls answered
