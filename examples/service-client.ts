// Two servers of one service; one of them dies half way. The caller does not notice.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createServiceClient, staticResolver } from "tenfold/discovery";

const servers = ["a", "b"].map((name) =>
  createServer((_request, response) => response.end(`hello from ${name}`)).listen(0, "127.0.0.1"),
);
await Promise.all(servers.map((server) => once(server, "listening")));

await using client = createServiceClient("greeter", {
  resolver: staticResolver({ greeter: servers.map((each) => each.address() as AddressInfo) }),
  policy: { deadlineMs: 2_000 },
});

let answered = 0;
for (let call = 0; call < 100; call += 1) {
  if (call === 50) servers[0]?.close().closeAllConnections();
  const reply = await client.request({ method: "GET", path: "/" });
  if (reply.status === 200) answered += 1;
}
console.log(`${answered} of 100 calls answered`);
servers[1]?.close();

// Prints:
// 100 of 100 calls answered
