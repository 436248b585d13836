import { errorReason, isTenfoldError, TenfoldError } from "../runtime/errors.ts";
import { invalidOption } from "../runtime/options.ts";

/** A body that is read while it is sent, and so can be sent once. */
export class RequestStream {
  /** A part of it was taken: from here on it cannot be sent again. */
  begun = false;
  readonly #source: AsyncIterable<unknown>;

  /** @throws TENFOLD_OPTION_INVALID when somebody has read from it, or is reading. */
  constructor(source: AsyncIterable<unknown>) {
    const { locked, readableDidRead, destroyed } = source as {
      readonly locked?: boolean;
      readonly readableDidRead?: boolean;
      readonly destroyed?: boolean;
    };
    if (locked || readableDidRead || destroyed || isDisturbed(source)) {
      throw invalidOption("body", "a stream that nobody has read from", "one that was used");
    }
    this.#source = source;
  }

  readonly canSend = (): boolean => !this.begun;

  /** For one attempt; asks the source for nothing before the attempt has a connection. */
  parts(): AsyncIterable<Uint8Array> {
    const take = (): AsyncIterator<unknown> => {
      this.begun = true;
      return this.#source[Symbol.asyncIterator]();
    };
    return {
      async *[Symbol.asyncIterator]() {
        try {
          for await (const part of { [Symbol.asyncIterator]: take }) yield bytesOf(part);
        } catch (cause) {
          throw isTenfoldError(cause, "TENFOLD_OPTION_INVALID") ? cause : unreadable(cause);
        }
      },
    };
  }
}

function unreadable(cause: unknown): TenfoldError {
  const message = `The body could not be read to its end: ${errorReason(cause)}`;
  return new TenfoldError("TENFOLD_OPTION_INVALID", message, { cause });
}

/** A web stream does not say that it was read from, but a response over it does. */
function isDisturbed(source: AsyncIterable<unknown>): boolean {
  if (!(source instanceof ReadableStream)) return false;
  try {
    return new Response(source).bodyUsed;
  } catch {
    return true;
  }
}

function bytesOf(part: unknown): Uint8Array {
  if (part instanceof Uint8Array) return part;
  if (typeof part === "string") return Buffer.from(part);
  if (part instanceof ArrayBuffer) return new Uint8Array(part);
  throw invalidOption("body", "a stream of bytes or text", typeof part);
}
