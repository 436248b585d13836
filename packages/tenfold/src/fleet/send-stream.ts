import { once } from "node:events";
import type { ServerResponse } from "node:http";

import type { Clock } from "../runtime/clock.ts";
import type { ServiceResponse } from "./service.ts";

export type TextStream = AsyncIterable<string>;

/** A reader that takes nothing for so long is cut: it would hold its place for ever. */
const stalledMs = 30_000;

export function isTextStream(body: unknown): body is TextStream {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}

/**
 * Sends a body as it comes. Nothing is kept for a slow reader: the next piece is asked for when the
 * last one was taken. Ends the stream when the reader goes away.
 */
export async function sendStream(
  response: ServerResponse,
  { status, headers }: ServiceResponse,
  body: TextStream,
  options: { readonly extra: Readonly<Record<string, string>>; readonly clock: Clock },
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  response.writeHead(status, { ...headers, ...options.extra });
  response.flushHeaders();
  if (response.req.method === "HEAD") return void response.end();
  for await (const piece of body) {
    if (gone.signal.aborted) return;
    if (response.write(piece)) continue;
    const stalled = options.clock.setTimer(stalledMs, () => response.destroy());
    await once(response, "drain", { signal: gone.signal }).catch(() => {});
    stalled.cancel();
  }
  response.end();
}
