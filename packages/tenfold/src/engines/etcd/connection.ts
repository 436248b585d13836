import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";

import { errorText } from "../../runtime/errors.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { EtcdEndpoint } from "./endpoints.ts";
import { grpcStatus } from "./grpc-frame.ts";
import { openCall, type RpcCall, type RpcReceiver } from "./rpc-call.ts";
import { RpcError } from "./rpc-error.ts";

/** One HTTP/2 connection to one server. It is used until it breaks, then thrown away. */
export interface Connection {
  readonly endpoint: EtcdEndpoint;
  /** False once it broke: every call on it has been told. */
  readonly usable: boolean;
  call(path: string, metadata: Readonly<Record<string, string>>, receiver: RpcReceiver): RpcCall;
  /** Asks the peer for a sign of life; without one in time the connection is cut. */
  probe(): void;
  close(): void;
}

export const connectionDefaults: {
  readonly connectTimeoutMs: number;
  readonly pingEveryMs: number;
  readonly pingTimeoutMs: number;
} = Object.freeze({
  connectTimeoutMs: 1_000,
  /** etcd closes connections that ping more often than every 5 s (its enforcement policy). */
  pingEveryMs: 5_500,
  pingTimeoutMs: 1_500,
});

/** @throws RpcError (unavailable) when no connection comes about in time */
export async function openConnection(
  endpoint: EtcdEndpoint,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<Connection> {
  const { connectTimeoutMs } = connectionDefaults;
  const late = new AbortController();
  const timer = runtime.clock.setTimer(connectTimeoutMs, () => late.abort(), { keepAlive: false });
  const until = AbortSignal.any([signal, late.signal]);
  try {
    const socket = await runtime.network.connect(endpoint, { signal: until });
    const session = await greeted(endpoint, socket, until);
    return connectionOver(endpoint, session, runtime);
  } catch (error) {
    const reason = late.signal.aborted ? "connecting took too long" : errorText(error);
    throw new RpcError(grpcStatus.unavailable, `${endpoint.origin}: ${reason}`, false);
  } finally {
    timer.cancel();
  }
}

/**
 * The session once the peer has sent its settings: until then it may be no HTTP/2 server at all.
 */
function greeted(
  endpoint: EtcdEndpoint,
  socket: Duplex,
  signal: AbortSignal,
): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const { host, secure } = endpoint;
    const session = connect(endpoint.origin, {
      createConnection: () =>
        secure ? connectTls({ socket, servername: host, ALPNProtocols: ["h2"] }) : socket,
    });
    const fail = (error: unknown): void => {
      session.destroy();
      socket.destroy();
      reject(error);
    };
    const onAbort = (): void => fail(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    session.on("error", fail);
    session.once("close", () => fail(new Error("the server closed the connection")));
    session.once("remoteSettings", () => {
      signal.removeEventListener("abort", onAbort);
      resolve(session);
    });
  });
}

function connectionOver(
  endpoint: EtcdEndpoint,
  session: ClientHttp2Session,
  { clock, log }: Runtime,
): Connection {
  const { pingEveryMs, pingTimeoutMs } = connectionDefaults;
  const streams = new Set<ClientHttp2Stream>();
  let usable = true;
  let probing = false;

  const cut = (why: string): void => {
    if (!usable) return;
    usable = false;
    beat.cancel();
    log.debug("a connection to the coordinator ended", { endpoint: endpoint.origin, why });
    // The peer may be a black hole: nothing is said to it, only resources are freed.
    for (const stream of streams) stream.destroy();
    session.destroy();
    session.socket?.destroy();
  };
  const probe = (): void => {
    if (probing || !usable) return;
    probing = true;
    const deadline = clock.setTimer(pingTimeoutMs, () => cut("a ping was not answered"), {
      keepAlive: false,
    });
    session.ping((error) => {
      probing = false;
      deadline.cancel();
      if (error !== null) cut(errorText(error));
    });
  };
  const pulse = (): void => {
    probe();
    beat = clock.setTimer(pingEveryMs, pulse, { keepAlive: false });
  };
  let beat = clock.setTimer(pingEveryMs, pulse, { keepAlive: false });
  session.on("error", (error) => cut(errorText(error)));
  session.once("close", () => cut("closed"));
  // The server takes no new calls here; open streams move over with the next connection.
  session.once("goaway", () => cut("the server is going away"));
  // A connection alone keeps no process alive; an open call does.
  session.unref();

  return {
    endpoint,
    get usable() {
      return usable;
    },
    call(path, metadata, receiver) {
      if (!usable) throw new RpcError(grpcStatus.unavailable, "the connection is gone", false);
      const headers = {
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
        ...metadata,
      };
      const stream = session.request(headers, { endStream: false });
      streams.add(stream);
      session.ref();
      stream.once("close", () => {
        streams.delete(stream);
        if (streams.size === 0 && usable) session.unref();
      });
      return openCall(stream, receiver);
    },
    probe,
    close: () => cut("closed by its owner"),
  };
}
