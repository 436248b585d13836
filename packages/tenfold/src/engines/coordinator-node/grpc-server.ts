import {
  constants,
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type Settings,
} from "node:http2";

import type { Clock } from "../../runtime/clock.ts";
import { errorText, TenfoldError } from "../../runtime/errors.ts";
import type { Log } from "../../runtime/log.ts";
import type { SocketAddress } from "../../runtime/network.ts";
import {
  encodeGrpcMessage,
  FrameError,
  frameReader,
  grpcFrame,
  grpcStatus,
} from "../etcd/grpc-frame.ts";
import { GrpcError, refusal } from "./grpc-error.ts";
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
  readonly admit: (headers: IncomingHttpHeaders, localAddress: string) => void;
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
/** A stream with more than this unread is congested. */
const unreadBytesMax = 1_048_576;
/** A client that does not take its answers does not hold up the end for longer. */
const drainMs = 2_000;

/**
 * gRPC over HTTP/2.
 * @throws TENFOLD_COORDINATOR_NODE_PORT_TAKEN, TENFOLD_COORDINATOR_NODE_CERTIFICATE_INVALID
 */
export async function createGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const { listen, limits, log, tls, clock } = options;
  const settings = { maxConcurrentStreams: limits.streamsPerConnectionMax };
  const server = tls === undefined ? createServer({ settings }) : secureServer(tls, settings);
  const sessions = new Set<ServerHttp2Session>();
  const calls = openCalls(clock);
  server.maxConnections = limits.connectionsMax;
  server.on("session", (session) => {
    sessions.add(session);
    const stopPings = pingSession(session, clock);
    // Clients such as etcdctl leave with a reset, which is no fault of anyone.
    session.on("error", (error) => log.debug("a connection broke", { error: errorText(error) }));
    session.once("close", () => {
      stopPings();
      sessions.delete(session);
    });
  });
  server.on("stream", (stream, headers) => serve(stream, headers, options, calls));
  // Not HTTP/2: a browser, or a health check of the port.
  server.on("sessionError", (error) => log.debug("no HTTP/2 client", { error: errorText(error) }));
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
      for (const session of sessions) session.goaway();
      await calls.drained();
      for (const session of sessions) session.destroy();
      await closed;
    },
  };
}

function secureServer({ certificate, key }: ServerTls, settings: Settings): Http2SecureServer {
  try {
    return createSecureServer({ settings, cert: certificate, key });
  } catch (error) {
    throw new TenfoldError(
      "TENFOLD_COORDINATOR_NODE_CERTIFICATE_INVALID",
      `The certificate and its key cannot be used: ${errorText(error)}.`,
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

function pingSession(session: ServerHttp2Session, clock: Clock): () => void {
  let answered = true;
  let timer = clock.setTimer(pingEveryMs, beat, { keepAlive: false });
  function beat(): void {
    if (session.destroyed) return;
    if (!answered) {
      session.destroy();
      return;
    }
    answered = false;
    session.ping((error) => {
      answered = error === null;
    });
    timer = clock.setTimer(pingEveryMs, beat, { keepAlive: false });
  }
  return () => timer.cancel();
}

function serve(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  { services, admit, limits, log }: GrpcServerOptions,
  calls: OpenCalls,
): void {
  const answer = grpcAnswer(stream, log);
  // Also when the client resets its stream: an unheard error would end the process.
  stream.on("error", (error) => log.debug("a call broke", { error: errorText(error) }));
  const receiver = ((): GrpcReceiver | undefined => {
    try {
      admit(headers, stream.session?.socket.localAddress ?? "");
      return receiverOf(String(headers[":path"]), services, answer);
    } catch (error) {
      answer.fail(error);
      return undefined;
    }
  })();
  if (receiver === undefined) return;
  if (answer.waitsForResult) {
    calls.begin();
    stream.once("close", () => calls.end());
  }
  const frames = frameReader(limits.requestBytesMax);
  stream.on("data", (chunk: Uint8Array) => {
    try {
      for (const message of frames.push(chunk)) {
        const done = receiver.message(message);
        if (done !== undefined) done.catch((error: unknown) => answer.fail(error));
      }
    } catch (error) {
      answer.fail(error instanceof FrameError ? frameRefusal(error) : error);
    }
  });
  stream.on("end", () => answer.halfClosed());
  stream.on("drain", () => receiver.drained?.());
  stream.once("close", () => receiver.closed?.());
}

function receiverOf(path: string, services: GrpcServices, answer: GrpcAnswer): GrpcReceiver {
  const unary = services.unary[path];
  if (unary !== undefined) {
    answer.waitsForResult = true;
    return {
      async message(request) {
        answer.send(await unary(request));
        answer.end();
      },
    };
  }
  const list = services.lists[path];
  if (list !== undefined) {
    answer.waitsForResult = true;
    return listReceiver(list, answer);
  }
  const open = services.streams[path];
  if (open !== undefined) return open(answer);
  throw new GrpcError(grpcStatus.unimplemented, `unknown method ${path}`);
}

function listReceiver(list: ListHandler, answer: GrpcAnswer): GrpcReceiver {
  let goOn = (): void => {};
  let isClosed = false;
  return {
    async message(request) {
      for await (const message of list(request)) {
        if (isClosed) return;
        answer.send(message);
        if (!answer.congested) continue;
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
      }
      answer.end();
    },
    drained: () => goOn(),
    closed() {
      isClosed = true;
      goOn();
    },
  };
}

interface GrpcAnswer extends GrpcCall {
  /** A unary call is ended by its result, not by the client's end of sending. */
  waitsForResult: boolean;
  halfClosed(): void;
  end(): void;
}

function grpcAnswer(stream: ServerHttp2Stream, log: Log): GrpcAnswer {
  const head: OutgoingHttpHeaders = { ":status": 200, "content-type": "application/grpc" };
  let trailers: OutgoingHttpHeaders = { "grpc-status": String(grpcStatus.ok) };
  const isOver = (): boolean => stream.destroyed || stream.closed || stream.writableEnded;
  const begin = (): void => {
    if (stream.headersSent) return;
    stream.respond(head, { waitForTrailers: true });
    stream.once("wantTrailers", () => stream.sendTrailers(trailers));
  };
  const end = (): void => {
    if (isOver()) return;
    begin();
    stream.end();
  };
  return {
    waitsForResult: false,
    get congested() {
      return stream.writableLength > unreadBytesMax;
    },
    send(...parts) {
      if (isOver()) return;
      begin();
      // What is sent in one turn of the event loop goes out in one piece.
      if (stream.writableCorked === 0) {
        stream.cork();
        process.nextTick(() => stream.uncork());
      }
      stream.write(grpcFrame(...parts));
    },
    fail(error) {
      if (isOver()) return;
      const known = error instanceof GrpcError ? error : unknownError(error, log);
      trailers = {
        "grpc-status": String(known.status),
        "grpc-message": encodeGrpcMessage(known.message),
      };
      if (stream.headersSent) stream.end();
      else stream.respond({ ...head, ...trailers }, { endStream: true });
      // A refused client need not finish sending; without this its bytes would be read for nothing.
      if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
    },
    halfClosed() {
      if (!this.waitsForResult) end();
    },
    end,
  };
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
