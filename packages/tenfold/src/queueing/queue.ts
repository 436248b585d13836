import type { IncomingCall } from "../resilience/call-chain.ts";

/** What a producer hands in. */
export interface NewMessage {
  /** The lane: messages of one key come in order, one at a time; also the key of `pending`. */
  readonly key: string;
  /** JSON text, at most `queueLimits.bodyBytesMax` bytes. */
  readonly body: string;
  /** Order inside `pending(key)`, unique within the key: for posts the decimal id, zero-padded. */
  readonly sort: string;
  /** Used again within `key`, it answers with the first message instead of storing a second. */
  readonly idempotencyKey: string;
  /** Stands for the request's content: another one under the same idempotency key is a mistake. */
  readonly fingerprint?: string;
}

/**
 * accepted and duplicate: durable (fsynced) before the answer; `body` is what is stored, for a
 * duplicate that of the first message. conflict: the idempotency key was used for other content.
 */
export interface EnqueueResult {
  readonly status: "accepted" | "duplicate" | "conflict";
  readonly sequence: bigint;
  readonly body: string;
}

/** A message leased to a worker. */
export interface Job {
  readonly sequence: bigint;
  readonly key: string;
  readonly sort: string;
  readonly body: string;
  /** How many times it was handed out, this time included. */
  readonly attempt: number;
  /** Fencing token: grows with every hand-out; `settle` with an older one is refused. */
  readonly token: bigint;
  readonly leaseMs: number;
}

/**
 * done: the effect is durable everywhere a reader may look. retry: again after `delayMs`. dead:
 * give up. release: not tried; hand it out again at once, and do not count this attempt.
 */
export type Settlement =
  | { readonly sequence: bigint; readonly token: bigint; readonly result: "done" }
  | {
      readonly sequence: bigint;
      readonly token: bigint;
      readonly result: "retry";
      readonly delayMs: number;
      readonly reason: string;
    }
  | {
      readonly sequence: bigint;
      readonly token: bigint;
      readonly result: "dead";
      readonly reason: string;
    }
  | { readonly sequence: bigint; readonly token: bigint; readonly result: "release" };

/**
 * A message that is accepted and not done: readers merge it over what the database has. A dead one
 * is among them: what was acknowledged does not vanish from its author's eyes.
 */
export interface PendingMessage {
  readonly sequence: bigint;
  readonly key: string;
  readonly sort: string;
  readonly body: string;
}

/** A message that is done, for audits. */
export interface DoneMessage {
  /** Counts the messages in the order in which they were done. */
  readonly completion: bigint;
  readonly sequence: bigint;
  readonly key: string;
  readonly sort: string;
  readonly doneAtMs: number;
}

export interface QueueStats {
  /** Survive restarts. accepted = done + dead + ready + leased + delayed, always. */
  readonly accepted: number;
  readonly done: number;
  readonly dead: number;
  readonly ready: number;
  readonly leased: number;
  readonly delayed: number;
  /** Age of the oldest message that is neither done nor dead, in milliseconds; 0 when none is. */
  readonly oldestMs: number;
}

export interface QueueCallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Give up after this long; the outcome is then unknown. */
  readonly deadlineMs?: number;
  /**
   * The request on whose behalf the call is made. Where the owner is another process its deadline
   * holds here too, and a request that must not be repeated is not.
   */
  readonly incoming?: IncomingCall | undefined;
}

/**
 * A durable queue with at-least-once delivery, order per key, and the index of what is pending.
 * Every engine passes `queueConformance` of `tenfold/testing`.
 *
 * Throws `TENFOLD_QUEUEING_FULL` (retryable, with `retryAfterMs`) at its limits,
 * `TENFOLD_QUEUEING_MESSAGE_INVALID` for messages beyond them, and `TENFOLD_QUEUEING_UNAVAILABLE`
 * (retryable) when its owner cannot be reached; then the outcome is unknown, and the producer asks
 * again with the same idempotency key. `TENFOLD_QUEUEING_STORAGE_FAILED` (retryable): the disk
 * refused; nothing of the call was stored.
 */
export interface Queue {
  enqueue(message: NewMessage, options?: QueueCallOptions): Promise<EnqueueResult>;
  /**
   * Up to `max` messages, leased for `leaseMs`; waits up to `waitMs` for the first. A message whose
   * lease runs out is handed out again.
   */
  claim(
    request: { readonly max: number; readonly leaseMs: number; readonly waitMs: number },
    options?: QueueCallOptions,
  ): Promise<readonly Job[]>;
  /** Durable when it returns. Gives back the sequences whose token was no longer current. */
  settle(
    settlements: readonly Settlement[],
    options?: QueueCallOptions,
  ): Promise<{ readonly refused: readonly bigint[] }>;
  /** Not done messages of a key, greatest `sort` first, those below `before` if given. */
  pending(
    request: { readonly key: string; readonly before?: string; readonly limit: number },
    options?: QueueCallOptions,
  ): Promise<readonly PendingMessage[]>;
  /**
   * Done messages after a completion, in the order in which they were done, for audits: who goes
   * on from the last one misses none. Kept for the retention time.
   */
  completed(
    request: { readonly after: bigint; readonly limit: number },
    options?: QueueCallOptions,
  ): Promise<readonly DoneMessage[]>;
  stats(options?: QueueCallOptions): Promise<QueueStats>;
  /** Idempotent, never throws. */
  close(): Promise<void>;
}
