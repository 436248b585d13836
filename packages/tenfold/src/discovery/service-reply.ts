import { TenfoldError } from "../runtime/errors.ts";
import type { AnswerHeaders } from "./dispatcher.ts";
import type { Endpoint } from "./endpoint.ts";

/** The answer of a service, read whole. */
export class ServiceReply {
  readonly status: number;
  /** Names in small letters; a header that came more than once has a list. */
  readonly headers: AnswerHeaders;
  readonly body: Uint8Array;
  /** The instance that answered. */
  readonly endpoint: Endpoint;
  /** Attempts that reached a server, this one included. */
  readonly attempts: number;
  /** Number of the call: what the client's `explain` takes. */
  readonly call: number;

  constructor(parts: Omit<ServiceReply, "json" | "text">) {
    this.status = parts.status;
    this.headers = parts.headers;
    this.body = parts.body;
    this.endpoint = parts.endpoint;
    this.attempts = parts.attempts;
    this.call = parts.call;
  }

  text(): string {
    const { buffer, byteOffset, byteLength } = this.body;
    return Buffer.from(buffer, byteOffset, byteLength).toString();
  }

  /** @throws TENFOLD_DISCOVERY_RESPONSE_INVALID when the body is no JSON. */
  json<T = unknown>(): T {
    const { endpoint, status } = this;
    try {
      return JSON.parse(this.text()) as T;
    } catch (cause) {
      throw new TenfoldError(
        "TENFOLD_DISCOVERY_RESPONSE_INVALID",
        `${endpoint.id} answered ${status} with a body that is no JSON.`,
        { cause, details: { endpoint: endpoint.id, status } },
      );
    }
  }
}
