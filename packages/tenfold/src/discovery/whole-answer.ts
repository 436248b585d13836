import { TenfoldError } from "../runtime/errors.ts";
import { type CallParts, EndpointCall } from "./endpoint-call.ts";
import { ServiceReply } from "./service-reply.ts";
import type { Trip } from "./trip.ts";

/** An attempt whose answer is read whole before anybody sees it. */
export class WholeAnswer extends EndpointCall<ServiceReply> {
  readonly #bytesMax: number;
  readonly #call: number;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(
    parts: CallParts,
    trip: Trip,
    about: { readonly call: number; readonly bytesMax: number },
    settle: {
      readonly resolve: (value: ServiceReply) => void;
      readonly reject: (error: Error) => void;
    },
  ) {
    super(parts, trip, settle.resolve, settle.reject);
    this.#bytesMax = about.bytesMax;
    this.#call = about.call;
  }

  data(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes <= this.#bytesMax) this.#chunks.push(chunk);
    else this.#refuse();
  }

  // Its length is of what it does not bring: undici 7 takes it for cut short, 6 waits for the rest.
  protected headed(): void {
    if (this.status !== 304 || Number(this.headers["content-length"] ?? 0) === 0) return;
    this.exchange.abort(new Error("nothing follows a 304"));
    this.end();
  }

  protected ended(): void {
    const [first = empty] = this.#chunks;
    this.resolve(
      new ServiceReply({
        answer: this.answer,
        body: this.#chunks.length > 1 ? Buffer.concat(this.#chunks, this.#bytes) : first,
        endpoint: this.endpoint,
        attempts: this.trip.sent,
        call: this.#call,
      }),
    );
  }

  protected broke(): boolean {
    return false;
  }

  protected gaveUp(): void {}

  #refuse(): void {
    const bytesMax = this.#bytesMax;
    const message = `The answer is larger than ${bytesMax} bytes.`;
    const details = { bytesMax };
    const error = new TenfoldError("TENFOLD_DISCOVERY_RESPONSE_TOO_LARGE", message, { details });
    this.#chunks = [];
    this.giveUp(error, "cancelled");
    this.failure = undefined;
    this.reject(error);
  }
}

const empty = Buffer.alloc(0);
