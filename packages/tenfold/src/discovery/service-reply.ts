import { TenfoldError } from "../runtime/errors.ts";
import type { AnswerHead } from "./answer-head.ts";
import type { AnswerHeaders } from "./dispatcher.ts";
import type { Endpoint } from "./endpoint.ts";

/** The answer of a service, read whole. */
export class ServiceReply {
  readonly status: number;
  readonly body: Uint8Array;
  /** The instance that answered. */
  readonly endpoint: Endpoint;
  /** Attempts that reached a server, this one included. */
  readonly attempts: number;
  /** Number of the call: what the client's `explain` takes. */
  readonly call: number;

  readonly #answer: AnswerHead;

  constructor(
    parts: Pick<ServiceReply, "body" | "endpoint" | "attempts" | "call"> & {
      readonly answer: AnswerHead;
    },
  ) {
    this.#answer = parts.answer;
    this.status = parts.answer.status;
    this.body = parts.body;
    this.endpoint = parts.endpoint;
    this.attempts = parts.attempts;
    this.call = parts.call;
  }

  /**
   * Names in small letters; a header that came more than once has a list. Made when it is first
   * read, out of bytes that may lie beside the body: read it before you transfer the body's buffer.
   */
  get headers(): AnswerHeaders {
    return this.#answer.headers;
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
