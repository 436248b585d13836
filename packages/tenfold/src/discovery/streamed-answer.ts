import type { AttemptFailure } from "../resilience/retry.ts";
import { errorReason, TenfoldError } from "../runtime/errors.ts";
import { type CallParts, EndpointCall } from "./endpoint-call.ts";
import type { Trip } from "./trip.ts";

/** Who takes the body of an answer as it comes. */
export interface BodyReader {
  /** False: no more until `resume`. */
  data(chunk: Buffer): boolean;
  end(): void;
  failed(error: Error): void;
}

/** An unread answer up to this is read to its end, so that its connection can be used again. */
const discardBytesMax = 16 * 1024;

/**
 * An attempt whose answer is handed on at its head. Nothing of the body comes before `read`; until
 * its end it keeps its endpoint busy and its place in the bulkhead.
 */
export class StreamedAnswer extends EndpointCall<StreamedAnswer> {
  readonly #over: () => void;
  #reader: BodyReader | undefined;
  #error: Error | undefined;

  /** @param over called when nothing more will come, and all is given back. */
  constructor(
    parts: CallParts,
    trip: Trip,
    over: () => void,
    settle: {
      readonly resolve: (value: StreamedAnswer) => void;
      readonly reject: (error: Error) => void;
    },
  ) {
    super(parts, trip, settle.resolve, settle.reject);
    this.#over = over;
  }

  /** @param goesOn false: not before `resume`. */
  read(reader: BodyReader, goesOn = true): void {
    this.#reader = reader;
    if (this.#error !== undefined) reader.failed(this.#error);
    else if (goesOn) this.exchange.resume();
  }

  resume(): void {
    this.exchange.resume();
  }

  override discard(): void {
    const length = Number(this.headers["content-length"] ?? Number.POSITIVE_INFINITY);
    if (!this.exchange.answered || length > discardBytesMax) super.discard();
    else this.read({ data: () => true, end() {}, failed() {} });
  }

  override failed(failure: AttemptFailure, error: Error): void {
    super.failed(failure, error);
    this.#over();
  }

  data(chunk: Buffer): void {
    if (this.#reader?.data(chunk) === false) this.exchange.pause();
  }

  protected headed(): void {
    this.exchange.pause();
    this.resolve(this);
  }

  protected ended(): void {
    this.#over();
    this.#reader?.end();
  }

  protected broke(error: Error): boolean {
    const { id } = this.endpoint;
    this.gaveUp(
      new TenfoldError(
        "TENFOLD_DISCOVERY_CALL_FAILED",
        `The answer of ${id} broke off: ${errorReason(error)}`,
        { cause: error, details: { service: this.parts.service, endpoint: id, failure: "cut" } },
      ),
    );
    return true;
  }

  protected gaveUp(cause: Error): void {
    this.#over();
    this.#error = cause;
    this.#reader?.failed(cause);
  }
}
