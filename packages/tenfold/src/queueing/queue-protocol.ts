import { type ErrorCode, errorCodes } from "../runtime/error-codes.ts";
import { TenfoldError } from "../runtime/errors.ts";
import type {
  DoneMessage,
  EnqueueResult,
  Job,
  NewMessage,
  PendingMessage,
  Queue,
  QueueStats,
  Settlement,
} from "./queue.ts";
import { invalidMessage } from "./queue-limits.ts";
import {
  arrayOf,
  type Decoder,
  field,
  integer,
  object,
  oneOf,
  optional,
  text,
  whole,
} from "./wire-format.ts";

/**
 * A queue over HTTP: `POST /v1/queue/<operation>` with a JSON body, sequences and tokens as decimal
 * text. Nothing that arrives is believed: unknown keys and wrong types are refused on both sides.
 */
export const queueOperations = [
  "enqueue",
  "claim",
  "settle",
  "pending",
  "completed",
  "stats",
] as const;

export type ClaimRequest = Parameters<Queue["claim"]>[0];
export type PendingRequest = Parameters<Queue["pending"]>[0];
export type CompletedRequest = Parameters<Queue["completed"]>[0];

const newMessage = object<NewMessage>({
  key: text,
  body: text,
  sort: text,
  idempotencyKey: text,
  fingerprint: optional(text),
});
const claimRequest = object<ClaimRequest>({ max: whole, leaseMs: whole, waitMs: whole });
const pendingRequest = object<PendingRequest>({ key: text, before: optional(text), limit: whole });
const completedRequest = object<CompletedRequest>({ after: integer, limit: whole });
const noRequest = object<Record<never, never>>({});
const settlements = object<{ settlements: readonly Settlement[] }>({
  settlements: arrayOf(settlement),
});

type Ids = { readonly sequence: bigint; readonly token: bigint };
const ids = { sequence: integer, token: integer };
const settled = object<Ids & { result: "done" | "release" }>({
  ...ids,
  result: oneOf("done", "release"),
});
const retried = object<Extract<Settlement, { result: "retry" }>>({
  ...ids,
  result: oneOf("retry"),
  delayMs: whole,
  reason: text,
});
const died = object<Extract<Settlement, { result: "dead" }>>({
  ...ids,
  result: oneOf("dead"),
  reason: text,
});

function settlement(value: unknown, where: string): Settlement {
  const result = field(value, "result", where);
  if (result === "retry") return retried(value, where);
  return result === "dead" ? died(value, where) : settled(value, where);
}

/** Decoders of what a remote queue gets back. */
export const queueAnswers: {
  readonly enqueue: Decoder<EnqueueResult>;
  readonly claim: Decoder<{ jobs: readonly Job[] }>;
  readonly settle: Decoder<{ refused: readonly bigint[] }>;
  readonly pending: Decoder<{ messages: readonly PendingMessage[] }>;
  readonly completed: Decoder<{ messages: readonly DoneMessage[] }>;
  readonly stats: Decoder<QueueStats>;
} = {
  enqueue: object({
    status: oneOf("accepted", "duplicate", "conflict"),
    sequence: integer,
    body: text,
  }),
  claim: object({
    jobs: arrayOf(
      object<Job>({ ...ids, key: text, sort: text, body: text, attempt: whole, leaseMs: whole }),
    ),
  }),
  settle: object({ refused: arrayOf(integer) }),
  pending: object({
    messages: arrayOf(
      object<PendingMessage>({ sequence: integer, key: text, sort: text, body: text }),
    ),
  }),
  completed: object({
    messages: arrayOf(
      object<DoneMessage>({
        completion: integer,
        sequence: integer,
        key: text,
        sort: text,
        doneAtMs: whole,
      }),
    ),
  }),
  stats: object({
    accepted: whole,
    done: whole,
    dead: whole,
    ready: whole,
    leased: whole,
    delayed: whole,
    oldestMs: whole,
  }),
};

/**
 * The owner's side: one call as it came over the wire, and the answer as JSON data.
 *
 * @throws TENFOLD_QUEUEING_MESSAGE_INVALID (answer 400) and whatever the queue throws
 */
export async function answerQueueCall(
  queue: Queue,
  operation: string,
  payload: unknown,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<unknown> {
  return toWire(await answered(queue, operation, payload, options));
}

async function answered(
  queue: Queue,
  operation: string,
  payload: unknown,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<unknown> {
  switch (operation) {
    case "enqueue":
      return await queue.enqueue(newMessage(payload, "enqueue"), options);
    case "claim":
      return { jobs: await queue.claim(claimRequest(payload, "claim"), options) };
    case "settle":
      return await queue.settle(settlements(payload, "settle").settlements, options);
    case "pending":
      return { messages: await queue.pending(pendingRequest(payload, "pending"), options) };
    case "completed":
      return { messages: await queue.completed(completedRequest(payload, "completed"), options) };
    case "stats":
      noRequest(payload, "stats");
      return await queue.stats(options);
    default:
      throw invalidMessage(`operation must be one of ${queueOperations.join(", ")}`, operation);
  }
}

/** The same data with every bigint as decimal text, so that it survives JSON. */
export function toWire(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return value.map(toWire);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toWire(inner)]));
}

const statusOf: Partial<Record<ErrorCode, number>> = {
  TENFOLD_QUEUEING_MESSAGE_INVALID: 400,
  TENFOLD_QUEUEING_FULL: 429,
  TENFOLD_QUEUEING_STORAGE_FAILED: 507,
};

/** An error of the owner as an HTTP answer. */
export function encodeQueueError(error: TenfoldError): {
  readonly status: number;
  readonly body: { readonly error: Readonly<Record<string, unknown>> };
} {
  const { code, message, retryable, retryAfterMs } = error;
  return {
    status: statusOf[code] ?? 503,
    body: { error: { code, message, retryable, retryAfterMs } },
  };
}

/** The owner's error again, or undefined when the body is not one of `encodeQueueError`. */
export function decodeQueueError(body: unknown): TenfoldError | undefined {
  const error = isObject(body) ? body.error : undefined;
  if (!isObject(error)) return undefined;
  const { code, message, retryable, retryAfterMs } = error;
  if (typeof code !== "string" || !Object.hasOwn(errorCodes, code)) return undefined;
  if (typeof message !== "string") return undefined;
  const after = typeof retryAfterMs === "number" ? { retryAfterMs } : {};
  return new TenfoldError(code as ErrorCode, message, {
    retryable: retryable === true,
    ...after,
  });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
