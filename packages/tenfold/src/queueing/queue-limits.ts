import { TenfoldError } from "../runtime/errors.ts";
import { numberOption, refuseUnknownKeys, shown } from "../runtime/options.ts";
import type { NewMessage } from "./queue.ts";

/** What a queue takes at most. Every number is a whole one. */
export interface QueueLimits {
  /** UTF-8 bytes of one body. */
  readonly bodyBytesMax: number;
  /** UTF-8 bytes of `key`, of `sort`, of `idempotencyKey` and of `fingerprint`. */
  readonly nameBytesMax: number;
  /** Characters of the reason that is kept with a retry or a death; longer ones are cut. */
  readonly reasonLengthMax: number;
  /** Messages that are neither done nor dead. */
  readonly openCountMax: number;
  /** Bytes of their bodies. */
  readonly openBytesMax: number;
  /** Done messages that are kept for duplicates and audits: until one of these three is passed. */
  readonly doneRetentionMs: number;
  readonly doneCountMax: number;
  readonly doneBytesMax: number;
  /** Dead messages that are kept; beyond it the oldest goes. */
  readonly deadCountMax: number;
  readonly claimMax: number;
  readonly settleMax: number;
  /** Messages of one `pending` or `completed` answer. */
  readonly pageMax: number;
  readonly leaseMsMax: number;
  readonly waitMsMax: number;
  readonly delayMsMax: number;
  /** Calls that are under way or waiting for a message. */
  readonly callsMax: number;
  /** Calls that share one commit: no commit takes long. */
  readonly commitCallsMax: number;
  /** Hand-outs that end without an outcome before a message is dead: it kills its workers. */
  readonly lostMax: number;
  /** What `TENFOLD_QUEUEING_FULL` tells the producer to wait. */
  readonly retryAfterMs: number;
}

export const queueLimits: QueueLimits = Object.freeze({
  bodyBytesMax: 65_536,
  nameBytesMax: 256,
  reasonLengthMax: 500,
  openCountMax: 1_000_000,
  openBytesMax: 1_073_741_824,
  doneRetentionMs: 86_400_000,
  doneCountMax: 500_000,
  doneBytesMax: 536_870_912,
  deadCountMax: 10_000,
  claimMax: 256,
  settleMax: 1_024,
  pageMax: 1_000,
  leaseMsMax: 3_600_000,
  waitMsMax: 60_000,
  delayMsMax: 86_400_000,
  callsMax: 10_000,
  commitCallsMax: 500,
  lostMax: 3,
  retryAfterMs: 1_000,
});

/** @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN */
export function resolveQueueLimits(given: Partial<QueueLimits> | undefined): QueueLimits {
  if (given === undefined) return queueLimits;
  refuseUnknownKeys("limits", given, Object.keys(queueLimits));
  for (const [name, value] of Object.entries(given)) {
    numberOption(`limits.${name}`, value, { min: 1, max: Number.MAX_SAFE_INTEGER });
  }
  return Object.freeze({ ...queueLimits, ...given });
}

/** @throws TENFOLD_QUEUEING_MESSAGE_INVALID naming the field and its limit */
export function checkMessage(message: NewMessage, limits: QueueLimits): void {
  checkName("key", message.key, limits.nameBytesMax);
  checkName("sort", message.sort, limits.nameBytesMax);
  checkName("idempotencyKey", message.idempotencyKey, limits.nameBytesMax);
  if (message.fingerprint !== undefined) {
    checkName("fingerprint", message.fingerprint, limits.nameBytesMax);
  }
  checkText("body", message.body, limits.bodyBytesMax);
}

/** @throws TENFOLD_QUEUEING_MESSAGE_INVALID unless `value` is a whole number from `min` to `max` */
export function checkWhole(name: string, value: unknown, min: number, max: number): void {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return;
  throw invalidMessage(`${name} must be a whole number from ${min} to ${max}`, value);
}

/**
 * @throws TENFOLD_QUEUEING_MESSAGE_INVALID unless it is well-formed text of 1 … `bytesMax` bytes
 */
export function checkName(name: string, value: unknown, bytesMax: number): void {
  if (value === "") throw invalidMessage(`${name} must not be empty`, value);
  checkText(name, value, bytesMax);
  // SQLite ends some texts at a NUL, and people cannot see it.
  if ((value as string).includes("\0")) throw invalidMessage(`${name} must not contain NUL`, value);
}

function checkText(name: string, value: unknown, bytesMax: number): void {
  if (typeof value !== "string") throw invalidMessage(`${name} must be text`, value);
  // A lone surrogate does not survive UTF-8, so it would come back as something else.
  if (!isWellFormed(value)) throw invalidMessage(`${name} must be well-formed Unicode`, value);
  const bytes = utf8Bytes(value);
  if (bytes <= bytesMax) return;
  throw invalidMessage(`${name} must have at most ${bytesMax} bytes, it has ${bytes}`, value);
}

/** The length of a text in UTF-8. */
export function utf8Bytes(text: string): number {
  return Buffer.byteLength(text);
}

export function invalidMessage(expected: string, value: unknown): TenfoldError {
  const came = shown(value, 40);
  return new TenfoldError("TENFOLD_QUEUEING_MESSAGE_INVALID", `${expected}; got ${came}.`);
}

function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}
