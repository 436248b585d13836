import type { Duplex } from "node:stream";

import type { SocketAddress } from "../runtime/network.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import { type Faults, type FaultyLink, faultyLink } from "./faulty-link.ts";

export interface FaultProxyOptions {
  readonly target: SocketAddress;
  /** Default 127.0.0.1 and a free port. */
  readonly listen?: SocketAddress;
  readonly runtime?: Partial<Runtime>;
}

/**
 * pass: bytes go through, with the faults that are set. cut: connections are reset, new ones too,
 * at once. silent: connections are accepted and kept, nothing goes through in either direction, no
 * end is told. mute: half open, clients are no longer heard by the target but still hear it. deaf:
 * the other half. What came meanwhile goes on when the link is back, as after TCP's retransmission.
 */
export type LinkState = "pass" | "cut" | "silent" | "mute" | "deaf";

export type Way = "toClients" | "toTarget";

/**
 * A TCP proxy that is as bad as it is told to be, and can be told while connections run. A client
 * that ends its sending ends its connection: half-closed ones are not carried on.
 */
export interface FaultProxy {
  readonly address: SocketAddress;
  /** Bytes that went from the target to clients. */
  readonly bytesToClients: number;
  readonly connections: number;
  /** How often `cutAfterBytes` has cut so far. */
  readonly cuts: number;
  state: LinkState;
  /** Changes some faults, by default both ways; applies to what comes from now on. */
  set(faults: Partial<Faults>, way?: Way): void;
  /** Lets so many more bytes through, by default to clients, then resets all connections, once. */
  cutAfterBytes(bytes: number, way?: Way): void;
  /** Resets the open connections; new ones are served. */
  reset(): void;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const noFaults: Faults = Object.freeze({
  delayMs: 0,
  jitterMs: 0,
  bytesPerSecondMax: Number.POSITIVE_INFINITY,
});

interface Joined {
  readonly client: Duplex;
  server?: Duplex;
  links: readonly FaultyLink[];
}

export async function createFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const { target, listen = { host: "127.0.0.1", port: 0 } } = options;
  const { network, clock, random } = runtimeWith(options.runtime);
  const open = new Set<Joined>();
  const faults = { toClients: noFaults, toTarget: noFaults };
  let state: LinkState = "pass";
  let bytesToClients = 0;
  let cuts = 0;
  const untilCut = { toClients: Number.POSITIVE_INFINITY, toTarget: Number.POSITIVE_INFINITY };

  const allow = (way: Way) => (bytes: number) => {
    const allowed = Math.min(bytes, untilCut[way]);
    untilCut[way] -= allowed;
    if (way === "toClients") bytesToClients += allowed;
    return allowed;
  };
  const reset = (): void => {
    untilCut.toClients = Number.POSITIVE_INFINITY;
    untilCut.toTarget = Number.POSITIVE_INFINITY;
    for (const joined of [...open]) drop(joined);
  };
  const drop = (joined: Joined): void => {
    open.delete(joined);
    resetStream(joined.client);
    if (joined.server) resetStream(joined.server);
  };
  /** One side is gone. An orderly end travels behind its bytes; a break is told at once. */
  const onClose = (joined: Joined, gone: Duplex): void => {
    const other = gone === joined.client ? joined.server : joined.client;
    if (other?.destroyed) open.delete(joined);
    else if (carries(state, gone === joined.client) && !gone.readableEnded) drop(joined);
  };
  const join = async (joined: Joined): Promise<void> => {
    // A handshake needs both ways.
    if (joined.server !== undefined || state !== "pass") return;
    const server = await network.connect(target).catch(() => undefined);
    if (server === undefined || !open.has(joined)) {
      server?.destroy();
      drop(joined);
      return;
    }
    joined.server = server;
    server.on("error", () => {});
    server.once("close", () => onClose(joined, server));
    const { client } = joined;
    const cut = (): void => {
      cuts++;
      reset();
    };
    const common = { cut, clock, random };
    const link = (way: Way, from: Duplex, to: Duplex): FaultyLink => {
      const isSilent = (): boolean => !carries(state, way === "toTarget");
      const parts = { from, to, isSilent, faults: () => faults[way], allow: allow(way) };
      return faultyLink({ ...common, ...parts });
    };
    joined.links = [link("toTarget", client, server), link("toClients", server, client)];
  };
  const listener = await network.listen(listen, (client) => {
    const joined: Joined = { client, links: [] };
    client.on("error", () => {});
    if (state === "cut") {
      resetStream(client);
      return;
    }
    open.add(joined);
    client.once("close", () => onClose(joined, client));
    void join(joined);
  });

  const close = async (): Promise<void> => {
    reset();
    await listener.close();
  };
  return {
    address: listener.address,
    get bytesToClients() {
      return bytesToClients;
    },
    get connections() {
      return open.size;
    },
    get cuts() {
      return cuts;
    },
    get state() {
      return state;
    },
    set state(next) {
      state = next;
      if (next === "cut") reset();
      for (const joined of [...open]) {
        // Told now what was kept from it while the link was silent.
        const isTold = carries(next, isBroken(joined.client));
        if (isTold && (isBroken(joined.client) || isBroken(joined.server))) drop(joined);
        else if (joined.server === undefined) void join(joined);
        else for (const link of joined.links) link.pump();
      }
    },
    set(change, way) {
      if (way !== "toTarget") faults.toClients = { ...faults.toClients, ...change };
      if (way !== "toClients") faults.toTarget = { ...faults.toTarget, ...change };
    },
    cutAfterBytes(bytes, way = "toClients") {
      untilCut[way] = bytes;
    },
    reset,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Does news travel, from the client or to it? */
function carries(state: LinkState, fromClient: boolean): boolean {
  return state === "pass" || state === (fromClient ? "deaf" : "mute");
}

function isBroken(stream: Duplex | undefined): boolean {
  return stream?.destroyed === true && !stream.readableEnded;
}

/** With RST where the stream is a socket: the peer learns at once, whatever it was doing. */
function resetStream(stream: Duplex): void {
  if ("resetAndDestroy" in stream) (stream as { resetAndDestroy(): void }).resetAndDestroy();
  else stream.destroy();
}
