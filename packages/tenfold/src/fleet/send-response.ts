import type { ServerResponse } from "node:http";

import type { ServiceResponse } from "./service.ts";

/**
 * Sends a service's response: objects as JSON with bigints as text, text and bytes as they are.
 * Throws before anything is sent when status, a header or the body is not sendable.
 */
export function sendResponse(
  response: ServerResponse,
  { status, headers, body }: ServiceResponse,
  extra: Readonly<Record<string, string>>,
): void {
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`a response's status must be 200 … 599, got ${status}`);
  }
  const { type, bytes } = encode(body);
  response.statusCode = status;
  if (type !== undefined) response.setHeader("content-type", type);
  for (const each of [headers, extra]) {
    for (const [name, value] of Object.entries(each ?? {})) response.setHeader(name, value);
  }
  const bodiless = status === 204 || status === 304;
  if (bodiless) response.removeHeader("content-type");
  else response.setHeader("content-length", bytes.length);
  response.end(bodiless ? undefined : bytes);
}

function encode(body: unknown): { readonly type?: string; readonly bytes: Uint8Array } {
  if (body === undefined) return { bytes: new Uint8Array() };
  if (body instanceof Uint8Array) return { type: "application/octet-stream", bytes: body };
  if (typeof body === "string") {
    return { type: "text/plain; charset=utf-8", bytes: Buffer.from(body) };
  }
  const bytes = Buffer.from(JSON.stringify(body, bigintAsText));
  return { type: "application/json; charset=utf-8", bytes };
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
