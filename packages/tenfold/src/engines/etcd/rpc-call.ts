import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from "node:http2";

import { errorText } from "../../runtime/errors.ts";
import { decodeGrpcMessage, frameReader, grpcFrame, grpcStatus } from "./grpc-frame.ts";
import { RpcError, statusError } from "./rpc-error.ts";

export interface RpcReceiver {
  message(bytes: Uint8Array): void;
  /** Called once, last. Without an error the server ended the call with status OK. */
  end(error?: RpcError): void;
}

/** One open call, unary or streaming. */
export interface RpcCall {
  send(message: Uint8Array): void;
  /** The last message: nothing more will be sent. */
  finish(message: Uint8Array): void;
  /** Gives the call up; `end` is not called any more. */
  cancel(): void;
}

/** An answer larger than this is refused: 64 times what a store of ours may put in one range. */
const answerBytesMax = 268_435_456;

/** @param closed called when the stream is gone, before the receiver's `end` */
export function openCall(
  stream: ClientHttp2Stream,
  receiver: RpcReceiver,
  closed: () => void,
): RpcCall {
  const frames = frameReader(answerBytesMax);
  let over = false;
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders | undefined;

  const end = (error?: RpcError): void => {
    if (over) return;
    over = true;
    receiver.end(error);
  };
  const refuse = (error: unknown): void => {
    stream.close(constants.NGHTTP2_CANCEL);
    end(new RpcError(grpcStatus.internal, `unreadable answer: ${errorText(error)}`, true));
  };
  stream.on("response", (answer) => {
    headers = answer;
  });
  stream.on("trailers", (last) => {
    trailers = last;
  });
  stream.on("data", (chunk: Uint8Array) => {
    if (over) return;
    try {
      for (const message of frames.push(chunk)) receiver.message(message);
    } catch (error) {
      refuse(error);
    }
  });
  stream.on("error", (error) => {
    end(new RpcError(grpcStatus.unavailable, errorText(error), mayHaveApplied(stream)));
  });
  stream.on("close", () => {
    closed();
    end(outcome(stream, headers, trailers));
  });

  return {
    send(message) {
      if (!over && !stream.destroyed) stream.write(grpcFrame(message));
    },
    finish(message) {
      if (!over && !stream.destroyed) stream.end(grpcFrame(message));
    },
    cancel() {
      over = true;
      stream.close(constants.NGHTTP2_CANCEL);
    },
  };
}

/** How the server says the call ended: in the trailers, or in the only headers it sent. */
function outcome(
  stream: ClientHttp2Stream,
  headers: IncomingHttpHeaders,
  trailers: IncomingHttpHeaders | undefined,
): RpcError | undefined {
  const said = trailers?.["grpc-status"] !== undefined ? trailers : headers;
  const status = said["grpc-status"];
  if (status === undefined) {
    const httpStatus = headers[":status"];
    const isOther = httpStatus !== undefined && Number(httpStatus) !== 200;
    if (isOther) return httpError(Number(httpStatus), mayHaveApplied(stream));
    return new RpcError(grpcStatus.unavailable, "the connection broke", mayHaveApplied(stream));
  }
  if (Number(status) === grpcStatus.ok) return undefined;
  const text = decodeGrpcMessage(String(said["grpc-message"] ?? `gRPC status ${status}`));
  return statusError(Number(status), text);
}

/** 429 and 5xx come from proxies in the way; anything else from what is no etcd. */
function httpError(status: number, mayHaveApplied: boolean): RpcError {
  const isProxy = status === 429 || status >= 500;
  const text = `HTTP status ${status} instead of a gRPC answer`;
  return new RpcError(
    grpcStatus.unavailable,
    text,
    mayHaveApplied,
    isProxy ? undefined : "not-etcd",
  );
}

/** REFUSED_STREAM is the one way for HTTP/2 to say that nothing was done (RFC 9113, 8.7). */
function mayHaveApplied(stream: ClientHttp2Stream): boolean {
  return stream.rstCode !== constants.NGHTTP2_REFUSED_STREAM;
}
