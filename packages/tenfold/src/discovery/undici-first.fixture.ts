import { once } from "node:events";
import type { AddressInfo } from "node:net";

// A process in which a copy of undici from npm is loaded before Node's own, which the mere import
// of node:http loads; tells what it got.
const { Agent } = (await import(process.argv[2] as string)) as { readonly Agent: unknown };
const { createServer } = await import("node:http");
const { builtInAgent, builtInDispatcher } = await import("./dispatcher.ts");
const { createServiceClient } = await import("./service-client.ts");
const { serviceInterceptor } = await import("./service-interceptor.ts");
const { staticResolver } = await import("./static-resolver.ts");

const server = createServer((request, response) => response.end(request.url));
await once(server.listen(0, "127.0.0.1"), "listening");
const { port } = server.address() as AddressInfo;
const resolver = staticResolver({ posts: [{ address: "127.0.0.1", port }] });

const client = createServiceClient("posts", { resolver, policy: { deadlineMs: 45_000 } });
const interceptor = serviceInterceptor({ service: "posts", resolver });
const dispatcher = builtInDispatcher().compose(interceptor);
const textOf = async (response: Response | Promise<Response>) => await (await response).text();
const reply = await client.request({ method: "GET", path: "/client" });
const answers = {
  client: Buffer.from(reply.body).toString(),
  clientFetch: await textOf(client.fetch("/client-fetch")),
  fetch: await textOf(fetch(`http://127.0.0.1:${port}/fetch`)),
  interceptor: await textOf(fetch("http://posts/interceptor", { dispatcher } as RequestInit)),
  /** Connections are of the copy that was first. */
  ownConnections: builtInAgent()?.Agent === Agent,
};
console.log(JSON.stringify(answers));

await client.close();
await interceptor.close();
server.closeAllConnections();
server.close();
