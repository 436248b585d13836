import type { IncomingMessage } from "node:http";

import { RequestStream } from "../discovery/request-stream.ts";

/**
 * whole: it was small enough to keep, and can be sent again. stream: the rest still comes, it can
 * be sent once. tooLarge and gone: there will be no whole body.
 */
export type RequestBody =
  | { readonly kind: "whole"; readonly bytes: Buffer }
  | { readonly kind: "stream"; readonly stream: RequestStream; readonly bytes: number | undefined }
  | { readonly kind: "tooLarge" }
  | { readonly kind: "gone" };

export interface RequestBodyLimits {
  readonly bodyBytesMax: number;
  /** Bodies up to this are kept. */
  readonly bufferBytes: number;
}

const empty: RequestBody = { kind: "whole", bytes: Buffer.alloc(0) };

/**
 * Reads what may be kept of a body.
 *
 * @param onTooLarge called when a streamed body turns out too large while it is being sent.
 */
export function readRequestBody(
  request: IncomingMessage,
  limits: RequestBodyLimits,
  onTooLarge: () => void,
): Promise<RequestBody> {
  const declared = request.headers["content-length"];
  const isChunked = request.headers["transfer-encoding"] !== undefined;
  if (Number(declared ?? 0) > limits.bodyBytesMax) return Promise.resolve({ kind: "tooLarge" });
  if (!isChunked && Number(declared ?? 0) === 0) return Promise.resolve(empty);
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (body: RequestBody): void => {
      request.off("data", onData);
      request.off("end", onEnd);
      request.off("error", onGone);
      request.off("close", onGone);
      resolve(body);
    };
    const onGone = (): void => settle({ kind: "gone" });
    const onEnd = (): void => settle({ kind: "whole", bytes: Buffer.concat(chunks) });
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes > limits.bodyBytesMax) settle({ kind: "tooLarge" });
      if (bytes > limits.bodyBytesMax || bytes <= limits.bufferBytes) return;
      request.pause();
      const length = declared === undefined ? undefined : Number(declared);
      settle(rest(request, chunks, length, limits.bodyBytesMax, onTooLarge));
    };
    request.on("data", onData);
    request.on("end", onEnd);
    request.on("error", onGone);
    request.on("close", onGone);
  });
}

function rest(
  request: IncomingMessage,
  chunks: readonly Buffer[],
  length: number | undefined,
  bodyBytesMax: number,
  onTooLarge: () => void,
): RequestBody {
  const parts = async function* (): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    for (const chunk of chunks) {
      bytes += chunk.length;
      yield chunk;
    }
    // The client's connection is still to be answered over, whatever becomes of the service's.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).length;
      if (bytes > bodyBytesMax) {
        onTooLarge();
        throw new Error("the body is too large");
      }
      yield chunk as Buffer;
    }
  };
  return { kind: "stream", stream: new RequestStream(parts()), bytes: length };
}
