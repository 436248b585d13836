import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";

/** A site that means no good, on a port of its own: for a fleet that allows exactly this host. */
export interface HostileSite {
  /** `127.0.0.1:PORT`, as `allowHosts` names it. */
  readonly host: string;
  url(path: HostilePath): string;
  close(): Promise<void>;
}

export type HostilePath = "/to-loopback" | "/to-metadata" | "/endless" | "/bomb";

const bombBytes = 64 * 1024 * 1024;

export async function startHostileSite(): Promise<HostileSite> {
  const bomb = gzipSync(Buffer.alloc(bombBytes, "a"));
  const pages: Record<HostilePath, (response: ServerResponse) => void> = {
    "/to-loopback": (response) => redirect(response, "http://127.0.0.1/"),
    "/to-metadata": (response) => redirect(response, "http://169.254.169.254/latest/meta-data/"),
    "/endless": endless,
    "/bomb": (response) => {
      response.writeHead(200, { "content-type": "text/html", "content-encoding": "gzip" });
      response.end(bomb);
    },
  };
  const server = createServer((request, response) => {
    const page = pages[request.url as HostilePath];
    if (page === undefined) response.writeHead(404).end();
    else page(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    url: (path) => `http://${host}${path}`,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(302, { location }).end();
}

/** HTML without title or end, as fast as it is read. */
function endless(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/html" });
  const chunk = Buffer.alloc(64 * 1024, "<p>");
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on("drain", more);
  more();
}
