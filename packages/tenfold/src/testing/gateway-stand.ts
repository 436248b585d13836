import { once } from "node:events";
import { connect } from "node:net";
import { staticResolver } from "../discovery/static-resolver.ts";
import { createGateway, type Gateway, type GatewayOptions } from "../gateway/gateway.ts";
import { createRegistry, type Registry } from "../telemetry/registry.ts";
import { type ChildServer, startChildServer } from "./child-server.ts";

/** What the child server tells of a request. */
export interface Echo {
  readonly name: string;
  readonly received: number;
  readonly count: number;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** A gateway before child servers, with what a test asks of both. */
export interface Stand {
  readonly gateway: Gateway;
  readonly backends: readonly ChildServer[];
  readonly metrics: Registry;
  url(path: string): string;
  /** The sum of a metric's series. */
  total(metric: string): number;
  /** Sends the bytes as they are; gives what came until the gateway closed, or `waitMs` passed. */
  raw(text: string, waitMs?: number): Promise<string>;
  close(): Promise<void>;
}

export async function stand(
  backendCount: number,
  options: Partial<GatewayOptions> = {},
): Promise<Stand> {
  const backends = await Promise.all(
    Array.from({ length: backendCount }, (_, i) => startChildServer({ name: `b${i}` })),
  );
  const metrics = createRegistry();
  const posts = backends.map(({ port }) => ({ address: "127.0.0.1", port }));
  const gateway = await createGateway({
    listen: { host: "127.0.0.1", port: 0 },
    routes: [{ path: "/posts", service: "posts" }],
    resolver: staticResolver({ posts }),
    metrics,
    ...options,
  });
  const { host, port } = gateway.address;
  return {
    gateway,
    backends,
    metrics,
    url: (path) => `http://${host}:${port}${path}`,
    total(metric) {
      const family = metrics.read().find(({ name }) => name === metric);
      return (family?.samples ?? []).reduce((sum, { value }) => sum + value, 0);
    },
    async raw(text, waitMs = 30_000) {
      const socket = connect(port, host);
      const chunks: Buffer[] = [];
      socket.on("data", (chunk) => chunks.push(chunk));
      socket.on("error", () => {});
      socket.write(text, "latin1");
      const timer = setTimeout(() => socket.destroy(), waitMs);
      await once(socket, "close");
      clearTimeout(timer);
      return Buffer.concat(chunks).toString("latin1");
    },
    async close() {
      await gateway.close({ graceMs: 0 });
      await Promise.all(backends.map((backend) => backend.stop()));
    },
  };
}
