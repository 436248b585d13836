import type { ErrorCode } from "../runtime/error-codes.ts";
import { isTenfoldError, TenfoldError } from "../runtime/errors.ts";
import type {
  DoneMessage,
  EnqueueResult,
  Job,
  NewMessage,
  PendingMessage,
  QueueStats,
  Settlement,
} from "./queue.ts";
import { type QueueLimits, utf8Bytes } from "./queue-limits.ts";
import {
  type MessageRow,
  type MessageState,
  messageStates,
  type QueueCounters,
  type QueueTable,
} from "./queue-table.ts";

/** Each operation of a queue: what it is asked and what it answers. */
export interface QueueOperations {
  readonly enqueue: { readonly request: NewMessage; readonly answer: EnqueueResult };
  readonly claim: {
    readonly request: { readonly max: number; readonly leaseMs: number };
    readonly answer: readonly Job[];
  };
  readonly settle: {
    readonly request: readonly Settlement[];
    readonly answer: { readonly refused: readonly bigint[] };
  };
  readonly pending: {
    readonly request: { readonly key: string; readonly before?: string; readonly limit: number };
    readonly answer: readonly PendingMessage[];
  };
  readonly completed: {
    readonly request: { readonly after: bigint; readonly limit: number };
    readonly answer: readonly DoneMessage[];
  };
  readonly stats: { readonly request: null; readonly answer: QueueStats };
}

export type QueueOperation = keyof QueueOperations;

export type QueueRequest = {
  [Name in QueueOperation]: {
    readonly operation: Name;
    readonly request: QueueOperations[Name]["request"];
  };
}[QueueOperation];

/** Plain data, because it crosses threads: an error keeps what a `TenfoldError` is made of. */
export type QueueOutcome =
  | { readonly answer: unknown }
  | {
      readonly error: {
        readonly code: ErrorCode;
        readonly message: string;
        readonly retryable: boolean;
        readonly retryAfterMs: number | undefined;
      };
    };

export interface QueueTime {
  /** `clock.now()`: leases, delays and retention. */
  readonly nowMs: number;
  /** `clock.wallNow()`: only for people. */
  readonly wallNowMs: number;
}

/** What the shell around the core must know after a batch. */
export interface QueueReadiness {
  /** May a claim succeed now? */
  readonly ready: boolean;
  /** In how long a lease or a delay ends. */
  readonly nextDueInMs: number | undefined;
}

const { waiting, ready, leased, delayed, done, dead } = messageStates;

/**
 * What a queue means, once for every engine: lanes, leases, idempotency, poison, retention. It
 * decides synchronously over a table, so an engine wraps a batch of calls into one transaction.
 *
 * Leases and delays run in queue time, which advances only while an owner runs: they survive its
 * restart with what was left of them, a worker that could not settle meanwhile loses nothing, and
 * neither a reboot nor a step of the wall clock can end them early.
 */
export class QueueCore {
  readonly #table: QueueTable;
  readonly #limits: QueueLimits;
  #counters: QueueCounters;
  #lastNowMs: number | undefined;
  #changed = false;
  #ended = 0;

  constructor(table: QueueTable, limits: QueueLimits) {
    this.#table = table;
    this.#limits = limits;
    this.#counters = table.loadCounters();
  }

  /**
   * One operation. What it refuses it has not begun; an error that it throws asks for roll-back.
   */
  apply(call: QueueRequest, time: QueueTime): QueueOutcome {
    this.#counters.queueTimeMs += Math.max(0, time.nowMs - (this.#lastNowMs ?? time.nowMs));
    this.#lastNowMs = time.nowMs;
    try {
      return { answer: this.#answer(call, time) };
    } catch (error) {
      if (!isTenfoldError(error)) throw error;
      const { code, message, retryable, retryAfterMs } = error;
      return { error: { code, message, retryable, retryAfterMs } };
    }
  }

  /** Forgets old messages and saves the counters: the last step before a commit. */
  finish(): void {
    this.#forget();
    if (this.#changed) this.#table.saveCounters(this.#counters);
    this.#changed = false;
  }

  /** Takes the counters from the table again, after a roll-back. */
  reload(): void {
    const { queueTimeMs } = this.#counters;
    this.#counters = { ...this.#table.loadCounters(), queueTimeMs };
    this.#changed = false;
    this.#ended = 0;
  }

  readiness(): QueueReadiness {
    const dueMs = this.#table.nextDueMs();
    return {
      ready: this.#table.inState(ready, 0, 1).length > 0,
      nextDueInMs:
        dueMs === undefined ? undefined : Math.max(0, dueMs - this.#counters.queueTimeMs),
    };
  }

  #answer(call: QueueRequest, time: QueueTime): unknown {
    switch (call.operation) {
      case "enqueue":
        return this.#enqueue(call.request, time);
      case "claim":
        this.#endLeasesAndDelays(time);
        return this.#claim(call.request.max, call.request.leaseMs);
      case "settle": {
        const refused = call.request.filter((settlement) => !this.#settle(settlement, time));
        return { refused: refused.map(({ sequence }) => sequence) };
      }
      case "pending": {
        const { key, before, limit } = call.request;
        return this.#table.pending(key, before, limit).map(pendingMessage);
      }
      case "completed": {
        const { after, limit } = call.request;
        return this.#table.completed(Number(after), limit).map(doneMessage);
      }
      case "stats":
        return this.#stats(time);
    }
  }

  #enqueue(message: NewMessage, time: QueueTime): EnqueueResult {
    const { key, sort, body, idempotencyKey } = message;
    const fingerprint = message.fingerprint ?? null;
    const first = this.#table.byIdempotencyKey(key, idempotencyKey);
    if (first !== undefined) {
      const status = first.fingerprint === fingerprint ? "duplicate" : "conflict";
      return { status, sequence: BigInt(first.sequence), body: first.body };
    }
    const bytes = utf8Bytes(body);
    refuseWhenFull(this.#counters, bytes, this.#limits);
    if (this.#table.isPending(key, sort)) {
      throw new TenfoldError(
        "TENFOLD_QUEUEING_MESSAGE_INVALID",
        "sort must be unique within the key: another message that is not done has it.",
      );
    }
    this.#counters.sequence += 1;
    this.#counters.accepted += 1;
    this.#counters.openBytes += bytes;
    const state = this.#table.laneHead(key) === undefined ? ready : waiting;
    const { sequence } = this.#counters;
    const given = { sequence, key, sort, body, bytes, idempotencyKey, fingerprint };
    this.#table.insert({ ...given, ...noProgress, state, enqueuedAtMs: time.wallNowMs });
    this.#count(state, 1);
    this.#changed = true;
    return { status: "accepted", sequence: BigInt(sequence), body };
  }

  #claim(max: number, leaseMs: number): Job[] {
    const jobs: Job[] = [];
    for (const row of this.#table.inState(ready, 0, max)) {
      // The last chance is taken alone: a message that kills its worker takes no neighbours along.
      const lastChance = row.lost > 0 && row.lost === this.#limits.lostMax - 1;
      if (lastChance && jobs.length > 0) break;
      this.#counters.token += 1;
      row.token = this.#counters.token;
      row.attempts += 1;
      row.dueMs = this.#counters.queueTimeMs + leaseMs;
      this.#move(row, leased);
      const { key, sort, body, attempts: attempt } = row;
      const ids = { sequence: BigInt(row.sequence), token: BigInt(row.token) };
      jobs.push({ ...ids, key, sort, body, attempt, leaseMs });
      if (lastChance) break;
    }
    return jobs;
  }

  /** False when the token is no longer current, or another outcome stands already. */
  #settle(settlement: Settlement, time: QueueTime): boolean {
    const row = this.#table.bySequence(Number(settlement.sequence));
    if (row === undefined || BigInt(row.token) !== settlement.token) return false;
    if (row.state !== leased) {
      // Asked again, because the first answer was lost: the outcome stands.
      if (row.state === outcomeState[settlement.result]) return true;
      // The lease ran out, but nobody else has it yet: what is done need not be done again.
      if (row.state !== ready || settlement.result !== "done") return false;
    }
    switch (settlement.result) {
      case "done":
        this.#end(row, done, time, null);
        break;
      case "dead":
        this.#end(row, dead, time, settlement.reason);
        break;
      case "release":
        row.attempts -= 1;
        this.#move(row, ready);
        break;
      case "retry":
        row.lost = 0;
        row.dueMs = this.#counters.queueTimeMs + settlement.delayMs;
        row.reason = settlement.reason.slice(0, this.#limits.reasonLengthMax);
        this.#move(row, delayed);
    }
    return true;
  }

  #stats(time: QueueTime): QueueStats {
    const enqueuedAt = [waiting, ready, leased, delayed]
      .map((state) => this.#table.inState(state, 0, 1)[0]?.enqueuedAtMs)
      .filter((atMs) => atMs !== undefined);
    const oldestMs =
      enqueuedAt.length === 0 ? 0 : Math.max(0, time.wallNowMs - Math.min(...enqueuedAt));
    const counters = this.#counters;
    return {
      accepted: counters.accepted,
      done: counters.done,
      dead: counters.dead,
      ready: counters.ready,
      leased: counters.leased,
      delayed: counters.delayed,
      oldestMs,
    };
  }

  #endLeasesAndDelays(time: QueueTime): void {
    const { settleMax, lostMax } = this.#limits;
    for (const row of this.#table.due(this.#counters.queueTimeMs, settleMax)) {
      if (row.state === leased) row.lost += 1;
      if (row.lost < lostMax) this.#move(row, ready);
      else this.#end(row, dead, time, `Handed out ${row.lost} times without an outcome.`);
    }
  }

  /** The next message of the lane becomes its head. */
  #end(row: MessageRow, state: 4 | 5, time: QueueTime, reason: string | null): void {
    row.finishedMs = this.#counters.queueTimeMs;
    row.finishedAtMs = time.wallNowMs;
    row.reason = reason?.slice(0, this.#limits.reasonLengthMax) ?? null;
    if (state === done) row.completion = this.#counters.done + 1;
    this.#move(row, state);
    this.#counters.openBytes -= row.bytes;
    this.#keep(row, 1);
    this.#ended += 1;
    const head = this.#table.laneHead(row.key);
    if (head?.state === waiting) this.#move(head, ready);
  }

  #move(row: MessageRow, state: MessageState): void {
    this.#count(row.state, -1);
    this.#count(state, 1);
    row.state = state;
    this.#table.update(row);
    this.#changed = true;
  }

  #count(state: MessageState, by: 1 | -1): void {
    if (state === leased) this.#counters.leased += by;
    else if (state === delayed) this.#counters.delayed += by;
    else if (state === done) this.#counters.done += by;
    else if (state === dead) this.#counters.dead += by;
    else this.#counters.ready += by;
  }

  #keep(row: MessageRow, by: 1 | -1): void {
    if (row.state === dead) this.#counters.deadKept += by;
    else {
      this.#counters.doneKept += by;
      this.#counters.doneBytes += by * row.bytes;
    }
  }

  /** In small steps, twice as fast as messages end: no commit takes long, and none is left over. */
  #forget(): void {
    const limits = this.#limits;
    const expiredMs = this.#counters.queueTimeMs - limits.doneRetentionMs;
    for (let steps = 2 * this.#ended; steps > 0; steps--) {
      const { doneKept, doneBytes, deadKept } = this.#counters;
      const over = doneKept > limits.doneCountMax || doneBytes > limits.doneBytesMax;
      const oldestDone = this.#table.inState(done, 0, 1)[0];
      const oldestDead =
        deadKept > limits.deadCountMax ? this.#table.inState(dead, 0, 1)[0] : undefined;
      const goes =
        oldestDone && (over || oldestDone.finishedMs < expiredMs) ? oldestDone : oldestDead;
      if (goes === undefined) break;
      this.#table.remove(goes.sequence);
      this.#keep(goes, -1);
    }
    this.#ended = 0;
  }
}

const noProgress = Object.freeze({
  attempts: 0,
  lost: 0,
  token: 0,
  dueMs: 0,
  finishedMs: 0,
  finishedAtMs: 0,
  completion: 0,
  reason: null,
});

/** Settling twice is settling once; a release leaves no trace to recognise it by. */
const outcomeState = { done, dead, retry: delayed, release: undefined } as const;

function refuseWhenFull(counters: QueueCounters, bytes: number, limits: QueueLimits): void {
  const open = counters.ready + counters.leased + counters.delayed;
  const { openCountMax, openBytesMax, retryAfterMs } = limits;
  if (open < openCountMax && counters.openBytes + bytes <= openBytesMax) return;
  throw new TenfoldError(
    "TENFOLD_QUEUEING_FULL",
    `The queue holds ${open} messages with ${counters.openBytes} bytes; at most ` +
      `${openCountMax} with ${openBytesMax} are taken. Try again in ${retryAfterMs} ms.`,
    { retryable: true, retryAfterMs },
  );
}

function pendingMessage(row: MessageRow): PendingMessage {
  const { key, sort, body } = row;
  return { sequence: BigInt(row.sequence), key, sort, body };
}

function doneMessage(row: MessageRow): DoneMessage {
  const { key, sort, finishedAtMs: doneAtMs } = row;
  const [sequence, completion] = [BigInt(row.sequence), BigInt(row.completion)];
  return { completion, sequence, key, sort, doneAtMs };
}
