/**
 * waiting: behind another message of its key. ready: the head of its key, may be handed out.
 * The numbers are stored in files: never change one.
 */
export const messageStates = Object.freeze({
  waiting: 0,
  ready: 1,
  leased: 2,
  delayed: 3,
  done: 4,
  dead: 5,
} as const);

export type MessageState = (typeof messageStates)[keyof typeof messageStates];

/** What changes in the life of a message. */
export interface MessageProgress {
  state: MessageState;
  /** Hand-outs that count. */
  attempts: number;
  /** Hand-outs in a row that ended without an outcome. */
  lost: number;
  /** Of the last hand-out; 0 before the first. */
  token: number;
  /** When the lease or the delay ends, in queue time. */
  dueMs: number;
  /** When it became done or dead: queue time for retention, wall time for people. */
  finishedMs: number;
  finishedAtMs: number;
  /** The how many-th message that was done; 0 before. */
  completion: number;
  reason: string | null;
}

export interface MessageRow extends MessageProgress {
  readonly sequence: number;
  readonly key: string;
  readonly sort: string;
  readonly body: string;
  readonly bytes: number;
  readonly idempotencyKey: string;
  readonly fingerprint: string | null;
  readonly enqueuedAtMs: number;
}

/** What a queue counts; saved in the same transaction as the messages that it counts. */
export interface QueueCounters {
  /** The last sequence and the last token that were given out. */
  sequence: number;
  token: number;
  /** Milliseconds that this queue has had an owner: stands still while none runs. */
  queueTimeMs: number;
  accepted: number;
  done: number;
  dead: number;
  ready: number;
  leased: number;
  delayed: number;
  openBytes: number;
  /** Done and dead messages that are still kept, and the bodies of the done ones. */
  doneKept: number;
  doneBytes: number;
  deadKept: number;
}

export const noCounters: Readonly<QueueCounters> = Object.freeze({
  sequence: 0,
  token: 0,
  queueTimeMs: 0,
  accepted: 0,
  done: 0,
  dead: 0,
  ready: 0,
  leased: 0,
  delayed: 0,
  openBytes: 0,
  doneKept: 0,
  doneBytes: 0,
  deadKept: 0,
});

/** A table of messages with the look-ups that `queueCore` makes. Lists are in order of sequence. */
export interface QueueTable {
  insert(row: MessageRow): void;
  /** Stores the progress of the row. */
  update(row: MessageRow): void;
  remove(sequence: number): void;
  bySequence(sequence: number): MessageRow | undefined;
  byIdempotencyKey(key: string, idempotencyKey: string): MessageRow | undefined;
  /** Is there a message of this key and sort that is not done? */
  isPending(key: string, sort: string): boolean;
  /** The first message of a key that is neither done nor dead. */
  laneHead(key: string): MessageRow | undefined;
  inState(state: MessageState, after: number, limit: number): readonly MessageRow[];
  /** Done messages with a greater completion, in its order. */
  completed(after: number, limit: number): readonly MessageRow[];
  /** Leased and delayed messages whose `dueMs` is at most this, soonest first. */
  due(untilMs: number, limit: number): readonly MessageRow[];
  /** The smallest `dueMs` of a leased or delayed message. */
  nextDueMs(): number | undefined;
  /** Not done, greatest sort first, those below `before`. */
  pending(key: string, before: string | undefined, limit: number): readonly MessageRow[];
  loadCounters(): QueueCounters;
  saveCounters(counters: Readonly<QueueCounters>): void;
}
