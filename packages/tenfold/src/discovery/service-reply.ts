import type { IncomingHttpHeaders, IncomingMessage } from "node:http";

import type { AttemptFailure } from "../resilience/retry.ts";
import type { Clock } from "../runtime/clock.ts";
import { TenfoldError } from "../runtime/errors.ts";
import type { Endpoint } from "./endpoint.ts";

/** The answer of a service, read whole. */
export interface ServiceReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
  /** @throws TENFOLD_DISCOVERY_RESPONSE_INVALID when the body is no JSON. */
  json<T = unknown>(): T;
  text(): string;
  /** The instance that answered. */
  readonly endpoint: Endpoint;
  /** Attempts that reached a server, this one included. */
  readonly attempts: number;
}

export function serviceReply(
  response: IncomingMessage,
  body: Buffer,
  endpoint: Endpoint,
  attempts: number,
): ServiceReply {
  const status = response.statusCode ?? 0;
  return {
    status,
    headers: response.headers,
    body,
    endpoint,
    attempts,
    text: () => body.toString(),
    json<T>(): T {
      try {
        return JSON.parse(body.toString()) as T;
      } catch (cause) {
        throw new TenfoldError(
          "TENFOLD_DISCOVERY_RESPONSE_INVALID",
          `${endpoint.id} answered ${status} with a body that is no JSON.`,
          { cause, details: { endpoint: endpoint.id, status } },
        );
      }
    },
  };
}

export interface CollectOptions {
  readonly bytesMax: number;
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, "setTimer">;
  readonly signal?: AbortSignal | undefined;
}

export type Collected =
  | { readonly kind: "whole"; readonly bytes: Buffer }
  | { readonly kind: "failed"; readonly failure: AttemptFailure; readonly error: Error }
  | { readonly kind: "cancelled" };

/**
 * Reads a body to its end. A broken one counts as no answer, since nobody has seen any of it.
 *
 * @throws TENFOLD_DISCOVERY_RESPONSE_TOO_LARGE
 */
export function collectBody(
  response: IncomingMessage,
  { bytesMax, timeoutMs, clock, signal }: CollectOptions,
): Promise<Collected> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const end = (): void => {
      timer.cancel();
      signal?.removeEventListener("abort", onAbort);
    };
    const fail = (error: Error): void => {
      end();
      response.destroy();
      resolve({ kind: "failed", failure: "noAnswer", error });
    };
    const onAbort = (): void => {
      end();
      response.destroy();
      resolve({ kind: "cancelled" });
    };
    const timer = clock.setTimer(timeoutMs, () =>
      fail(new Error(`the answer was not complete after ${Math.round(timeoutMs)} ms`)),
    );
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
    response.on("error", fail);
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes <= bytesMax) return;
      end();
      response.destroy();
      reject(tooLarge(bytesMax));
    });
    response.on("end", () => {
      end();
      resolve({
        kind: "whole",
        bytes: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks),
      });
    });
  });
}

function tooLarge(bytesMax: number): TenfoldError {
  return new TenfoldError(
    "TENFOLD_DISCOVERY_RESPONSE_TOO_LARGE",
    `The answer is larger than ${bytesMax} bytes.`,
    { details: { bytesMax } },
  );
}
