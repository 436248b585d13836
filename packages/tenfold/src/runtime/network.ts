import { lookup } from "node:dns/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";

import { abortError } from "./errors.ts";

/** Where a TCP listener is, or shall be: an IP address (or name) and a port. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

export interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

export interface Listener {
  /** Where it really listens: the port is filled in when 0 was asked for. */
  readonly address: SocketAddress;
  /** Stops listening and cuts every open connection. Idempotent. */
  close(): Promise<void>;
}

/** Byte streams between processes: what is not HTTP goes through here. */
export interface Network {
  /** All addresses of a host name, in the resolver's order. Rejects when there are none. */
  lookup(host: string): Promise<readonly ResolvedAddress[]>;
  /** An open connection; rejects with the system's error, or the signal's reason. */
  connect(to: SocketAddress, options?: { signal?: AbortSignal | undefined }): Promise<Duplex>;
  /** Calls `accept` for every connection. Port 0 takes a free one. */
  listen(at: SocketAddress, accept: (connection: Duplex) => void): Promise<Listener>;
}

export const systemNetwork: Network = {
  async lookup(host) {
    const all = await lookup(host, { all: true, verbatim: true });
    return all.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
  },
  connect(to, options) {
    const { signal } = options ?? {};
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(abortError(signal));
        return;
      }
      const socket = connect({ host: to.host, port: to.port });
      const onAbort = (): void => {
        socket.destroy();
        reject(abortError(signal as AbortSignal));
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        signal?.removeEventListener("abort", onAbort);
        socket.off("error", reject);
        socket.setNoDelay(true);
        resolve(socket);
      });
    });
  },
  async listen(at, accept) {
    const open = new Set<Socket>();
    const server = createServer((socket) => {
      open.add(socket);
      socket.once("close", () => open.delete(socket));
      accept(socket);
    });
    const port = await listening(server, at);
    let closed: Promise<void> | undefined;
    return {
      address: { host: at.host, port },
      close() {
        closed ??= new Promise((resolve) => {
          server.close(() => resolve());
          for (const socket of open) socket.destroy();
        });
        return closed;
      },
    };
  },
};

function listening(server: Server, at: SocketAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: at.host, port: at.port }, () => {
      server.off("error", reject);
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : at.port);
    });
  });
}
