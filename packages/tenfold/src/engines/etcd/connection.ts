import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import type { Duplex } from "node:stream";

import { errorText } from "../../runtime/errors.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { EtcdEndpoint } from "./endpoints.ts";
import { grpcStatus } from "./grpc-frame.ts";
import { openCall, type RpcCall, type RpcReceiver } from "./rpc-call.ts";
import { RpcError, type RpcFault } from "./rpc-error.ts";
import { type EtcdTlsOptions, isTlsFailure, overTls, tlsSettings } from "./tls.ts";

/** One HTTP/2 connection to one server. It is used until it breaks, then thrown away. */
export interface Connection {
  readonly endpoint: EtcdEndpoint;
  /** False once it broke, when every call on it has been told, and once it was left. */
  readonly usable: boolean;
  call(path: string, metadata: Readonly<Record<string, string>>, receiver: RpcReceiver): RpcCall;
  /** Asks the peer for a sign of life; without one in time the connection is cut. */
  probe(): void;
  /** Takes no new calls, and ends with the last of those that are open. */
  leave(): void;
  close(): void;
}

export const connectionDefaults: {
  readonly connectTimeoutMs: number;
  readonly pingEveryMs: number;
  readonly pingTimeoutMs: number;
  readonly windowBytes: number;
} = Object.freeze({
  connectTimeoutMs: 1_000,
  /** etcd closes connections that ping more often than every 5 s (its enforcement policy). */
  pingEveryMs: 5_500,
  pingTimeoutMs: 1_500,
  /** What may be on its way unread: a large listing takes few round trips. */
  windowBytes: 4_194_304,
});

/** @throws RpcError (nothing was sent) when no connection comes about in time */
export async function openConnection(
  endpoint: EtcdEndpoint,
  tls: EtcdTlsOptions,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<Connection> {
  const { connectTimeoutMs } = connectionDefaults;
  const late = new AbortController();
  const timer = runtime.clock.setTimer(connectTimeoutMs, () => late.abort(), { keepAlive: false });
  const until = AbortSignal.any([signal, late.signal]);
  try {
    const settings = endpoint.secure ? await tlsSettings(tls, endpoint.host) : undefined;
    const plain = await runtime.network.connect(endpoint, { signal: until });
    const socket = settings === undefined ? plain : overTls(plain, settings);
    const session = await greeted(endpoint, socket, until);
    return connectionOver(endpoint, session, runtime);
  } catch (error) {
    const reason = late.signal.aborted ? "connecting took too long" : errorText(error);
    const fault = late.signal.aborted ? undefined : faultOf(error, endpoint);
    throw new RpcError(grpcStatus.unavailable, `${endpoint.origin}: ${reason}`, false, fault);
  } finally {
    timer.cancel();
  }
}

function faultOf(error: unknown, endpoint: EtcdEndpoint): RpcFault | undefined {
  if (isTlsFailure(error, endpoint)) return "tls";
  // What came was no HTTP/2: an HTTP/1 or TLS server, for instance.
  const isForeign = (error as NodeJS.ErrnoException).code === "ERR_HTTP2_ERROR";
  return isForeign ? "not-etcd" : undefined;
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
    const { windowBytes } = connectionDefaults;
    const session = connect(endpoint.origin, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: windowBytes },
    });
    const fail = (error: unknown): void => {
      session.destroy();
      socket.destroy();
      reject(error);
    };
    const onAbort = (): void => fail(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    // A TLS socket tells why before the session only tells that it closed.
    socket.on("error", fail);
    session.on("error", fail);
    session.once("close", () => fail(new Error("the server closed the connection")));
    session.once("remoteSettings", () => {
      signal.removeEventListener("abort", onAbort);
      session.setLocalWindowSize(windowBytes);
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
  let over = false;
  let left = false;
  let probing = false;

  const cut = (why: string): void => {
    if (over) return;
    over = true;
    beat.cancel();
    log.debug("a connection to the coordinator ended", { endpoint: endpoint.origin, why });
    // The peer may be a black hole: nothing is said to it, only resources are freed.
    for (const stream of streams) stream.destroy();
    session.destroy();
    session.socket?.destroy();
  };
  const probe = (): void => {
    if (probing || over) return;
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
  const leave = (): void => {
    left = true;
    if (streams.size === 0) cut("left for another server");
  };
  const closed = (stream: ClientHttp2Stream): void => {
    streams.delete(stream);
    if (streams.size > 0 || over) return;
    if (left) cut("left for another server");
    else session.unref();
  };
  const pulse = (): void => {
    probe();
    beat = clock.setTimer(pingEveryMs, pulse, { keepAlive: false });
  };
  let beat = clock.setTimer(pingEveryMs, pulse, { keepAlive: false });
  session.on("error", (error) => cut(errorText(error)));
  session.once("close", () => cut("closed"));
  // The server takes no new calls here; it finishes those that are open, unless it is angry.
  session.once("goaway", (code) => {
    if (code === constants.NGHTTP2_NO_ERROR) leave();
    else cut(`the server went away with code ${code}`);
  });
  // A connection alone keeps no process alive; an open call does.
  session.unref();

  return {
    endpoint,
    get usable() {
      return !over && !left;
    },
    call(path, metadata, receiver) {
      if (over || left || session.closed || session.destroyed) {
        throw new RpcError(grpcStatus.unavailable, "the connection is gone", false);
      }
      const headers = {
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
        ...metadata,
      };
      const stream = session.request(headers, { endStream: false });
      if (streams.size === 0) session.ref();
      streams.add(stream);
      return openCall(stream, receiver, () => closed(stream));
    },
    probe,
    leave,
    close: () => cut("closed by its owner"),
  };
}
