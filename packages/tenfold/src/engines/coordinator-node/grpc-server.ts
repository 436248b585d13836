import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";

import type { Clock } from "../../runtime/clock.ts";
import { errorReason, errorText, TenfoldError } from "../../runtime/errors.ts";
import type { Log } from "../../runtime/log.ts";
import type { SocketAddress } from "../../runtime/network.ts";
import {
  encodeGrpcMessage,
  FrameError,
  frameReader,
  grpcHead,
  grpcStatus,
} from "../etcd/grpc-frame.ts";
import { GrpcError, refusal } from "./grpc-error.ts";
import { Connection } from "./http2/connection.ts";
import { encodeHeaders, type Headers } from "./http2/hpack.ts";
import type { ServerStream } from "./http2/stream.ts";
import type { CoordinatorNodeLimits } from "./limits.ts";

export type UnaryHandler = (request: Uint8Array) => Promise<Uint8Array> | Uint8Array;

/** One request, many answers; the next one is asked for when the client has room. */
export type ListHandler = (request: Uint8Array) => AsyncIterable<Uint8Array>;

/** One open bidirectional call, seen from the server. */
export interface GrpcCall {
  /** One message, in parts. */
  send(...parts: readonly Uint8Array[]): void;
  /** True when so much waits to be read by the client that no more should be sent. */
  readonly congested: boolean;
  /** Ends the call with a status. */
  fail(error: unknown): void;
}

export interface GrpcReceiver {
  message(request: Uint8Array): Promise<void> | void;
  /** The client has sent all. Without it the call ends there, else with its result. */
  ended?(): Promise<void> | void;
  /** The client reads again. */
  drained?(): void;
  closed?(): void;
}

export type StreamHandler = (call: GrpcCall) => GrpcReceiver;

export interface GrpcServices {
  readonly unary: Readonly<Record<string, UnaryHandler>>;
  readonly lists: Readonly<Record<string, ListHandler>>;
  readonly streams: Readonly<Record<string, StreamHandler>>;
}

/** A certificate and its key, as PEM. */
export interface ServerTls {
  readonly certificate: string;
  readonly key: string;
}

export interface GrpcServerOptions {
  readonly listen: SocketAddress;
  /** Without it cleartext. */
  readonly tls: ServerTls | undefined;
  readonly services: GrpcServices;
  /** Throws a GrpcError when the request must not be served. */
  readonly admit: (headers: Headers, localAddress: string) => void;
  readonly limits: CoordinatorNodeLimits;
  readonly clock: Clock;
  readonly log: Log;
}

export interface GrpcServer {
  readonly address: SocketAddress;
  /** Takes nothing new, answers what was asked, then cuts every connection. */
  close(): Promise<void>;
}

/** A peer that is silent for one of these and does not answer a ping within the next is gone. */
const pingEveryMs = 15_000;
/** Of all requests that have begun and not come to their end. */
const unfinishedBytesMax = 67_108_864;
/** A client that does not take its answers does not hold up the end for longer. */
const drainMs = 2_000;

/**
 * gRPC over HTTP/2.
 * @throws TENFOLD_COORDINATOR_NODE_PORT_TAKEN, TENFOLD_COORDINATOR_NODE_CERTIFICATE_INVALID
 */
export async function createGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const { listen, limits, log, tls, clock } = options;
  const connections = new Set<Connection>();
  const sockets = new Set<Socket>();
  const calls = openCalls(clock);
  const unfinished = { bytes: 0 };
  const accept = (socket: Socket): void => {
    const connection = new Connection(socket, {
      streamsMax: limits.streamsPerConnectionMax,
      now: clock.now,
      onStream: (stream, headers) => serve(stream, headers, options, calls, unfinished),
      // Clients such as etcdctl leave with a reset, which is no fault of anyone; others are
      // browsers, or health checks of the port.
      onError: (error) => log.debug("a connection broke", { error: errorText(error) }),
      onClose() {
        stopPings();
        connections.delete(connection);
      },
    });
    connections.add(connection);
    const stopPings = pingConnection(connection, clock);
  };
  const server = tls === undefined ? createServer({ noDelay: true }, accept) : secure(tls, accept);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.maxConnections = limits.connectionsMax;
  server.on("tlsClientError", (error) => log.debug("no TLS client", { error: errorText(error) }));
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(portError(listen, error)));
    server.listen({ host: listen.host, port: listen.port }, resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : listen.port;
  return {
    address: { host: listen.host, port },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // What is asked from here on goes to no server; what was asked is answered.
      for (const connection of connections) connection.leave();
      await calls.drained();
      for (const connection of connections) connection.destroy();
      const cutAll = (): void => {
        for (const socket of sockets) socket.destroy();
      };
      // Those that were in the middle of TLS, too.
      const timer = clock.setTimer(drainMs, cutAll, { keepAlive: false });
      await closed;
      timer.cancel();
    },
  };
}

function secure({ certificate, key }: ServerTls, accept: (socket: Socket) => void): Server {
  const options = { cert: certificate, key, ALPNProtocols: ["h2"], noDelay: true };
  try {
    return createTlsServer(options, (socket: TLSSocket) => {
      if (socket.alpnProtocol === "h2") accept(socket);
      else socket.destroy();
    });
  } catch (error) {
    throw new TenfoldError(
      "TENFOLD_COORDINATOR_NODE_CERTIFICATE_INVALID",
      `The certificate and its key cannot be used: ${errorReason(error)}`,
      { cause: error },
    );
  }
}

/** The calls that end with an answer; streams that stay open do not count. */
interface OpenCalls {
  begin(): void;
  end(): void;
  /** Resolves when none is open, or after `drainMs`. */
  drained(): Promise<void>;
}

function openCalls(clock: Clock): OpenCalls {
  let open = 0;
  let whenDrained = (): void => {};
  return {
    begin: () => void open++,
    end() {
      open--;
      if (open === 0) whenDrained();
    },
    async drained() {
      if (open === 0) return;
      await new Promise<void>((resolve) => {
        whenDrained = resolve;
        clock.setTimer(drainMs, resolve, { keepAlive: false });
      });
    },
  };
}

function pingConnection(connection: Connection, clock: Clock): () => void {
  const beat = (): void => {
    if (connection.ping()) timer = clock.setTimer(pingEveryMs, beat, { keepAlive: false });
    else connection.destroy();
  };
  let timer = clock.setTimer(pingEveryMs, beat, { keepAlive: false });
  return () => timer.cancel();
}

function serve(
  stream: ServerStream,
  headers: Headers,
  { services, admit, limits, log }: GrpcServerOptions,
  calls: OpenCalls,
  unfinished: { bytes: number },
): void {
  const answer = new GrpcAnswer(stream, log);
  try {
    admit(headers, stream.localAddress);
    const receiver = receiverOf(String(headers[":path"]), services, answer);
    const frames = frameReader(limits.requestBytesMax);
    const waitsForResult = receiver.ended !== undefined;
    if (waitsForResult) calls.begin();
    const fail = (error: unknown): void => answer.fail(error);
    let received = 0;
    let held = 0;
    const hold = (bytes: number): void => {
      unfinished.bytes += bytes - held;
      held = bytes;
      if (bytes > 0 && unfinished.bytes > unfinishedBytesMax) throw refusal("tooManyRequests");
    };
    stream.receiver = {
      data(chunk) {
        try {
          const messages = frames.push(chunk);
          received += chunk.length;
          hold(waitsForResult ? received : frames.waitingBytes);
          for (const message of messages) receiver.message(message)?.catch(fail);
        } catch (error) {
          fail(error instanceof FrameError ? frameRefusal(error) : error);
        }
      },
      end() {
        try {
          if (frames.waitingBytes > 0) throw brokenOff();
          if (receiver.ended === undefined) answer.end();
          else receiver.ended()?.catch(fail);
        } catch (error) {
          fail(error);
        }
      },
      drained: () => receiver.drained?.(),
      closed() {
        hold(0);
        if (waitsForResult) calls.end();
        receiver.closed?.();
      },
    };
  } catch (error) {
    answer.fail(error);
  }
}

function receiverOf(path: string, services: GrpcServices, answer: GrpcAnswer): GrpcReceiver {
  const unary = services.unary[path];
  if (unary !== undefined) {
    return oneRequest(async (request) => {
      answer.send(await unary(request));
      answer.end();
    });
  }
  const list = services.lists[path];
  if (list !== undefined) return listReceiver(list, answer);
  const open = services.streams[path];
  if (open !== undefined) return open(answer);
  throw new GrpcError(grpcStatus.unimplemented, `unknown method ${path}`);
}

/** Serves one request once the client has sent all, so that a call with two changes nothing. */
function oneRequest(result: (request: Uint8Array) => Promise<void>): GrpcReceiver {
  let request: Uint8Array | undefined;
  return {
    message(given) {
      if (request !== undefined) throw notOne("more than one");
      request = given;
    },
    ended() {
      if (request === undefined) throw notOne("none");
      return result(request);
    },
  };
}

function brokenOff(): GrpcError {
  return new GrpcError(grpcStatus.internal, "a message breaks off");
}

/** The status is that of gRPC for it (grpc/doc/statuscodes.md). */
function notOne(came: string): GrpcError {
  return new GrpcError(grpcStatus.unimplemented, `the call takes one request, ${came} came`);
}

function listReceiver(list: ListHandler, answer: GrpcAnswer): GrpcReceiver {
  let goOn = (): void => {};
  let isClosed = false;
  return {
    ...oneRequest(async (request) => {
      for await (const message of list(request)) {
        if (isClosed) return;
        answer.send(message);
        if (!answer.congested) continue;
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
      }
      answer.end();
    }),
    drained: () => goOn(),
    closed() {
      isClosed = true;
      goOn();
    },
  };
}

const head = encodeHeaders({ ":status": "200", "content-type": "application/grpc" });
const success = encodeHeaders({ "grpc-status": String(grpcStatus.ok) });
/** A client's own words may be part of it. */
const messageCharsMax = 1_024;

class GrpcAnswer implements GrpcCall {
  readonly #stream: ServerStream;
  readonly #log: Log;

  constructor(stream: ServerStream, log: Log) {
    this.#stream = stream;
    this.#log = log;
  }

  get congested(): boolean {
    return this.#stream.congested;
  }

  send(...parts: readonly Uint8Array[]): void {
    this.#stream.respond(head);
    this.#stream.write([grpcHead(parts), ...parts]);
  }

  end(): void {
    this.#stream.respond(head);
    this.#stream.end(success);
  }

  fail(error: unknown): void {
    const known = error instanceof GrpcError ? error : unknownError(error, this.#log);
    const trailers = {
      "grpc-status": String(known.status),
      "grpc-message": encodeGrpcMessage(known.message.slice(0, messageCharsMax)),
    };
    const alone = { ":status": "200", "content-type": "application/grpc", ...trailers };
    // A refused client need not finish sending: its bytes would be read for nothing.
    this.#stream.refuse(encodeHeaders(this.#stream.headSent ? trailers : alone));
  }
}

function unknownError(error: unknown, log: Log): GrpcError {
  if (error instanceof RangeError) {
    return new GrpcError(grpcStatus.invalidArgument, `unreadable message: ${error.message}`);
  }
  log.error("a request failed", { error });
  return new GrpcError(grpcStatus.internal, "internal error");
}

function frameRefusal(error: FrameError): GrpcError {
  if (error.fault === "too-large") return refusal("requestTooLarge");
  return new GrpcError(grpcStatus.unimplemented, error.message);
}

function portError(listen: SocketAddress, error: Error): Error {
  if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") return error;
  return new TenfoldError(
    "TENFOLD_COORDINATOR_NODE_PORT_TAKEN",
    `Port ${listen.port} of ${listen.host} is taken by another program.`,
    { details: { ...listen }, cause: error },
  );
}
