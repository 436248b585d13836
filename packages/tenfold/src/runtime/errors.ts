import type { ErrorCode } from "./error-codes.ts";

const brand: unique symbol = Symbol.for("tenfold.error") as never;

export interface TenfoldErrorOptions {
  /** May the same call succeed if it is simply made again? Default false. */
  readonly retryable?: boolean;
  /** Do not retry sooner than this, in milliseconds. */
  readonly retryAfterMs?: number;
  /** Values that a program may want to read: small, serialisable, without secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/**
 * The one error class of Tenfold. The message says what was expected, what came and what to do;
 * programs decide by `code` and `retryable`, never by the message.
 */
export class TenfoldError extends Error {
  override readonly name = "TenfoldError";
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly details: Readonly<Record<string, unknown>>;
  readonly [brand] = true;

  constructor(code: ErrorCode, message: string, options: TenfoldErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
    this.details = options.details ?? {};
  }
}

/** True for a `TenfoldError` of any copy of this package, and of this code if one is given. */
export function isTenfoldError(error: unknown, code?: ErrorCode): error is TenfoldError {
  if (typeof error !== "object" || error === null || !(brand in error)) return false;
  return code === undefined || (error as TenfoldError).code === code;
}

/**
 * The error that an aborted signal stands for: its reason if that is ours, else `TENFOLD_ABORTED`.
 */
export function abortError(signal: AbortSignal): TenfoldError {
  if (isTenfoldError(signal.reason)) return signal.reason;
  return new TenfoldError("TENFOLD_ABORTED", "The operation was aborted by its caller.", {
    cause: signal.reason,
  });
}

/** A short text for a log line or a message, whatever was thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The same as the end of a sentence: with a full stop, and no second one. */
export function errorReason(error: unknown): string {
  return `${errorText(error).replace(/\.$/, "")}.`;
}
