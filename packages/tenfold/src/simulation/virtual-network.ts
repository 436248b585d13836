import { Duplex } from "node:stream";

import type { Clock } from "../runtime/clock.ts";
import { abortError } from "../runtime/errors.ts";
import type { Listener, Network, SocketAddress } from "../runtime/network.ts";

export interface VirtualNetworkOptions {
  readonly clock: Clock;
  /** How long bytes travel one way, in milliseconds; default 1. */
  readonly latencyMs?: number;
}

/** Connections inside the process, with latency by the clock and faults on demand. */
export interface VirtualNetwork extends Network {
  /** Breaks every open connection to the address, both ends with ECONNRESET. */
  cut(to: SocketAddress): void;
  /** New connections to the address fail with ECONNREFUSED until `allow`. */
  refuse(to: SocketAddress): void;
  allow(to: SocketAddress): void;
}

export function virtualNetwork(options: VirtualNetworkOptions): VirtualNetwork {
  const { clock, latencyMs = 1 } = options;
  const listeners = new Map<string, (connection: Duplex) => void>();
  const open = new Map<string, Set<Duplex>>();
  const refused = new Set<string>();
  let nextPort = 10_000;

  const cut = (name: string): void => {
    for (const end of open.get(name) ?? []) end.destroy(systemError("ECONNRESET", name));
  };
  const track = (name: string, end: Duplex): void => {
    const ends = open.get(name) ?? new Set();
    open.set(name, ends.add(end));
    end.once("close", () => ends.delete(end));
  };

  return {
    async lookup(host) {
      return [{ address: host, family: host.includes(":") ? 6 : 4 }];
    },
    async connect(to, { signal } = {}) {
      const name = nameOf(to);
      // There and back, as a TCP handshake.
      await clock.sleep(2 * latencyMs, { signal });
      if (signal?.aborted) throw abortError(signal);
      const accept = listeners.get(name);
      if (accept === undefined || refused.has(name)) throw systemError("ECONNREFUSED", name);
      const [near, far] = pair(clock, latencyMs);
      track(name, near);
      track(name, far);
      accept(far);
      return near;
    },
    async listen(at, accept): Promise<Listener> {
      const address = { host: at.host, port: at.port === 0 ? nextPort++ : at.port };
      const name = nameOf(address);
      if (listeners.has(name)) throw systemError("EADDRINUSE", name);
      listeners.set(name, accept);
      return {
        address,
        async close() {
          listeners.delete(name);
          cut(name);
        },
      };
    },
    cut: (to) => cut(nameOf(to)),
    refuse: (to) => void refused.add(nameOf(to)),
    allow: (to) => void refused.delete(nameOf(to)),
  };
}

function nameOf({ host, port }: SocketAddress): string {
  return `${host}:${port}`;
}

function systemError(code: string, name: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code} ${name}`), { code });
}

/** Two ends of one connection: what is written to one is read from the other, later, in order. */
function pair(clock: Clock, latencyMs: number): readonly [Duplex, Duplex] {
  const end = (peer: () => Duplex): Duplex => {
    const later = (run: (peer: Duplex) => void): void => {
      clock.setTimer(latencyMs, () => {
        if (!peer().destroyed) run(peer());
      });
    };
    return new Duplex({
      allowHalfOpen: false,
      read() {},
      write(chunk: Buffer, _encoding, written) {
        later((to) => to.push(chunk));
        written();
      },
      final(done) {
        later((to) => to.push(null));
        done();
      },
      destroy(error, done) {
        later((to) => void to.destroy(error ?? undefined));
        done(error);
      },
    });
  };
  const near: Duplex = end(() => far);
  const far: Duplex = end(() => near);
  return [near, far];
}
