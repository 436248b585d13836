import { retryHeader, retryStop, saysRetryStop } from "../resilience/call-chain.ts";
import type { ErrorCode } from "../runtime/error-codes.ts";
import { isTenfoldError, type TenfoldError } from "../runtime/errors.ts";
import type { ServiceResponse } from "./service.ts";

/** What an error is answered with. A code that is not here is no fault of the caller's. */
const statusOf: Partial<Record<ErrorCode, number>> = {
  TENFOLD_FLEET_REQUEST_INVALID: 400,
  TENFOLD_FLEET_ROUTE_UNKNOWN: 404,
  TENFOLD_FLEET_METHOD_NOT_ALLOWED: 405,
  TENFOLD_FLEET_BODY_TOO_LARGE: 413,
  TENFOLD_FLEET_CONTENT_TYPE_UNSUPPORTED: 415,
  TENFOLD_FLEET_BUSY: 503,
  TENFOLD_DISCOVERY_MEMBER_INVALID: 400,
  TENFOLD_DISCOVERY_NOT_REGISTERED: 404,
  TENFOLD_DISCOVERY_NAME_TAKEN: 409,
  TENFOLD_IDENTIFIERS_ID_INVALID: 400,
  TENFOLD_RESILIENCE_CIRCUIT_OPEN: 503,
  TENFOLD_RESILIENCE_BULKHEAD_FULL: 503,
  TENFOLD_RESILIENCE_RATE_LIMITED: 503,
  TENFOLD_RESILIENCE_TRY_TIMEOUT: 504,
  TENFOLD_RESILIENCE_DEADLINE_INVALID: 400,
  TENFOLD_RESILIENCE_CHAIN_INVALID: 400,
  TENFOLD_QUEUEING_FULL: 429,
  TENFOLD_DEADLINE_EXCEEDED: 504,
};

/** An application's own error that says how it is answered: 400 … 499, 503 or 504. */
interface AnswerableError {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs?: unknown;
  readonly details?: unknown;
}

export interface ErrorAnswer extends ServiceResponse {
  /** Nobody foresaw it: it belongs into the log, and the answer tells nothing of it. */
  readonly unexpected: boolean;
}

/**
 * The answer to an error: `{"error":{"code","message","details"?}}`. A `TenfoldError` goes by the
 * table above, or as 503 when it is retryable; an application's error by its own `status`; all
 * else is a 500 without its text. What a call of ours came to says `tenfold-retry: stop`: it was
 * repeated here, or may not be, so nobody above repeats it.
 */
export function errorAnswer(error: unknown): ErrorAnswer {
  const answer = plainAnswer(error);
  if (!isStopped(error)) return answer;
  return { ...answer, headers: { ...answer.headers, [retryHeader]: retryStop } };
}

/** The error itself, or what it was made of. */
function isStopped(error: unknown): boolean {
  let each = error;
  for (let depth = 0; depth < causesMax && each !== undefined; depth++) {
    if (saysRetryStop(each)) return true;
    each = (each as { cause?: unknown } | null)?.cause;
  }
  return false;
}

const causesMax = 8;

function plainAnswer(error: unknown): ErrorAnswer {
  if (isTenfoldError(error)) {
    const status = statusOf[error.code] ?? (error.retryable ? 503 : 500);
    if (status !== 500) return answerOf({ ...plain(error), status });
  } else if (isAnswerable(error)) {
    return answerOf(error);
  }
  const message = "The request failed inside the service; its log has the reason.";
  return {
    ...answerOf({ status: 500, code: "TENFOLD_INTERNAL", message }),
    unexpected: true,
  };
}

function plain({ code, message, retryAfterMs, details }: TenfoldError): {
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs: number | undefined;
  readonly details: unknown;
} {
  return { code, message, retryAfterMs, details };
}

function isAnswerable(error: unknown): error is AnswerableError {
  const { status, code, message } = Object(error) as Record<string, unknown>;
  if (typeof status !== "number" || typeof message !== "string") return false;
  const named = typeof code === "string" && /^[A-Z][A-Z0-9_]+$/.test(code);
  return named && ((status >= 400 && status <= 499) || status === 503 || status === 504);
}

function answerOf({ status, code, message, retryAfterMs, details }: AnswerableError): ErrorAnswer {
  const empty = details === undefined || Object.keys(Object(details)).length === 0;
  const body = { error: { code, message, ...(empty ? {} : { details }) } };
  return { status, headers: retryAfterHeader(status, retryAfterMs), body, unexpected: false };
}

function retryAfterHeader(status: number, retryAfterMs: unknown): Readonly<Record<string, string>> {
  if (status !== 429 && status !== 503) return {};
  const ms = typeof retryAfterMs === "number" ? retryAfterMs : 1_000;
  return { "retry-after": String(Math.max(1, Math.ceil(ms / 1_000))) };
}
