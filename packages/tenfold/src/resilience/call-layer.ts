import type { Clock } from "../runtime/clock.ts";
import { abortError, isTenfoldError, type TenfoldError } from "../runtime/errors.ts";
import { numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import type { Random } from "../runtime/random.ts";
import { nowMax } from "../runtime/steady-time.ts";
import { firstCall, type IncomingCall, saysRetryStop } from "./call-chain.ts";
import type { CallOutcome } from "./circuit-breaker.ts";
import { type Deadline, deadlineMsMax } from "./deadline.ts";
import type { DecisionKind, DecisionLog } from "./decision-log.ts";
import type { EndTimes } from "./end-times.ts";

export type LayerKind =
  | "deadline"
  | "rateLimit"
  | "retry"
  | "breaker"
  | "pick"
  | "bulkhead"
  | "tryTimeout";

/** One part of a call policy: what it does around everything that is inside of it. */
export interface CallLayer {
  readonly kind: LayerKind;
  wrap(inner: CallHandler): CallHandler;
}

/**
 * Undefined: turned away on the way in, with `call.refusal`. Neither thrown nor rejected, since
 * both cost many times what the decision does.
 */
export type CallHandler = (call: Call) => Promise<unknown> | undefined;

/** What an attempt is told. */
export interface CallContext {
  /** Fires when this attempt's time is up or the caller goes away. Each attempt has its own. */
  readonly signal: AbortSignal;
  /** 1 is the first. */
  readonly attempt: number;
  /** Number of the call within its policy: what `explain` takes. */
  readonly call: number;
  /** Milliseconds left for this attempt. */
  remainingMs(): number;
  /** To be sent along, so that the layers below keep to this call's deadline and retry budget. */
  headers(): Record<string, string>;
  /** The same, names and values in turn. */
  headerList(): string[];
  /**
   * For a result that goes on after it was given, such as a stream: the call keeps its place in
   * the bulkhead until the function that this gives is called. Idempotent.
   */
  keepPlace(): () => void;
}

export interface CallOptions {
  /** For this call, retries and waiting included: 0 … 600,000. */
  readonly deadlineMs?: number;
  /** For one attempt of it: 1 … 600,000. Default: what the policy says. */
  readonly tryTimeoutMs?: number;
  /** May it be made twice without harm? */
  readonly idempotent?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** The request on whose behalf the call is made: its deadline and retry signal hold here too. */
  readonly incoming?: IncomingCall;
  /** What the call is about, for layers of one's own; the others do not look at it. */
  readonly subject?: unknown;
}

/** Why a call did not end well. */
export type FaultReason =
  | "rateLimited"
  | "circuitOpen"
  | "bulkheadFull"
  | "unreachable"
  | "timeout"
  | "deadline"
  | "overload"
  | "failed";

/** What a result or an error shows of the callee, and what it says about being asked again. */
export type Judgement =
  | CallOutcome
  | {
      readonly outcome: CallOutcome;
      /** Default: what the call's `idempotent` says. */
      readonly mayRetry?: boolean;
      readonly retryAfterMs?: number;
    };

/** What all calls of a policy share. */
export interface PolicyParts {
  readonly name: string;
  readonly clock: Clock;
  /** When attempts that are under way have to end. */
  readonly ends: EndTimes;
  readonly random: Pick<Random, "next">;
  readonly decisions: DecisionLog;
  /** Of the circuit, apart: thousands of refusals must not push out what they come from. */
  readonly changes: DecisionLog;
  /** Which endpoint each attempt went to, apart for the same reason. */
  readonly picks: DecisionLog;
  /** Calls so far: where their numbers come from. */
  readonly calls: { count: number };
  /** The clock's last reading that was a time: what counts while it says nothing. */
  readonly lastRead: { at: number };
  readonly idempotent: boolean;
  readonly classifyResult: ((value: unknown) => Judgement) | undefined;
  readonly classifyError: ((error: unknown) => Judgement | undefined) | undefined;
}

/** One call on its way through the layers, and what they tell each other about it. */
export class Call {
  readonly parts: PolicyParts;
  readonly number: number;
  readonly run: (context: CallContext) => unknown;
  /** The caller's; on a clock that may be set the deadline layer adds its own end to it. */
  signal: AbortSignal | undefined;
  readonly incoming: IncomingCall;
  /** Of this call, checked; undefined leaves it to the deadline layer. */
  readonly deadlineMs: number | undefined;
  readonly idempotent: boolean;
  /** Of this call, checked; undefined leaves it to the layer. */
  readonly ownTryTimeoutMs: number | undefined;
  readonly subject: unknown;
  deadline: Deadline | undefined;
  tryTimeoutMs: number = deadlineMsMax;
  /** An attempt that another one may follow takes no more than this, so that it still can. */
  shareMs: number = deadlineMsMax;
  /** No attempt can follow this one: cut early, it would only fail the call sooner. */
  hasTheRest = false;
  /** An attempt that was cut with less time than this says nothing about the callee. */
  fairMs: number = deadlineMsMax;
  attempt = 1;
  /** May another attempt follow this one, by number and budget as of now? */
  mayFollow = false;
  /** Are calls made again at all where that does no harm? */
  mayRepeat = false;
  /** May the layers below make retries for this attempt? */
  mayRetryBelow: boolean;
  /**
   * Now, as of the last time that this call waited for something: reading a clock costs more than
   * all the decisions of a call.
   */
  at: number;
  /** When the last attempt began, waiting not included. */
  beganAt = 0;
  outcome: CallOutcome = "ignored";
  /** What the last answer said about being asked again. */
  mayRetry: boolean | undefined = undefined;
  retryAfterMs = 0;
  /** Undefined when the call went well, or for reasons of its caller. */
  fault: FaultReason | undefined = undefined;
  /** What it was turned away with. */
  refusal: TenfoldError | undefined = undefined;
  /** Its time was up by a timer, and by the clock not yet. */
  overtime: TenfoldError | undefined = undefined;
  /** The result goes on after it was given. */
  place: KeptPlace | undefined = undefined;

  /** @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN */
  constructor(
    parts: PolicyParts,
    number: number,
    run: (context: CallContext) => unknown,
    options: CallOptions | undefined,
  ) {
    if (options !== undefined) checkKeys(options);
    this.parts = parts;
    this.number = number;
    this.run = run;
    this.signal = options?.signal;
    this.incoming = options?.incoming ?? firstCall;
    this.at = readClock(parts);
    this.mayRetryBelow = this.incoming.mayRetry;
    this.idempotent = options?.idempotent ?? parts.idempotent;
    this.subject = options?.subject;
    this.deadlineMs = checkedMs("deadlineMs", options?.deadlineMs, 0);
    this.ownTryTimeoutMs = checkedMs("tryTimeoutMs", options?.tryTimeoutMs, 1);
  }

  /** To be called after every wait. */
  waited(): void {
    this.at = readClock(this.parts);
  }

  remainingMs(): number {
    return this.deadline?.remainingMs(this.at) ?? deadlineMsMax;
  }

  /** A layer turns the call away: the callee was not asked, so it shows nothing of the callee. */
  refuse(fault: FaultReason, error: TenfoldError): undefined {
    this.outcome = "ignored";
    this.fault = fault;
    this.mayRetry = false;
    this.refusal = error;
    this.record("refused", fault, error.retryAfterMs ?? 0);
    return undefined;
  }

  /** The caller went away, or the call is over by its timer. */
  aborted(signal: AbortSignal): undefined {
    this.outcome = "ignored";
    this.fault = this.overtime === undefined ? undefined : "deadline";
    this.mayRetry = false;
    this.refusal = this.overtime ?? abortError(signal);
    return undefined;
  }

  judgeResult(value: unknown): void {
    this.#judged(this.parts.classifyResult?.(value) ?? "success", value);
  }

  judgeError(error: unknown): void {
    this.#judged(this.parts.classifyError?.(error) ?? errorJudgement(error), error);
  }

  record(kind: DecisionKind, why: string, ms: number, endpoint = ""): void {
    const { changes, decisions, picks } = this.parts;
    const log = kind === "circuitChanged" ? changes : kind === "picked" ? picks : decisions;
    log.record(this, kind, why, ms, endpoint);
  }

  #judged(judgement: Judgement, subject: unknown): void {
    const given = typeof judgement === "string" ? undefined : judgement;
    this.outcome = given?.outcome ?? (judgement as CallOutcome);
    this.fault = undefined;
    if (this.outcome === "success") return;
    this.mayRetry = saysRetryStop(subject) ? false : given?.mayRetry;
    this.retryAfterMs = given?.retryAfterMs ?? 0;
    if (this.outcome === "failure") this.fault = "failed";
    else if (this.outcome === "overload") this.fault = "overload";
  }
}

/** Now, as the clock says; where that is no time, as it said last. */
export function readClock({ clock, lastRead }: PolicyParts): number {
  const now = clock.now();
  if (Math.abs(now) <= nowMax) lastRead.at = now;
  return lastRead.at;
}

/** The bulkhead's place of a result that goes on. */
export class KeptPlace {
  #over = false;
  #leave: (() => void) | undefined;

  /** The layers are done with the call: its place is given back when the result is over too. */
  leaveAtEnd(leave: () => void): void {
    if (this.#over) leave();
    else this.#leave = leave;
  }

  readonly over = (): void => {
    if (this.#over) return;
    this.#over = true;
    this.#leave?.();
  };
}

const callOptionNames: Readonly<Record<keyof CallOptions, true>> = {
  deadlineMs: true,
  tryTimeoutMs: true,
  idempotent: true,
  signal: true,
  incoming: true,
  subject: true,
};

/** For every call: a switch takes a third of the time that a look into a list of names takes. */
function checkKeys(options: CallOptions): void {
  for (const key in options) {
    switch (key) {
      case "deadlineMs":
      case "tryTimeoutMs":
      case "idempotent":
      case "signal":
      case "incoming":
      case "subject":
        continue;
      default:
        refuseUnknownKeys("run", options, Object.keys(callOptionNames));
    }
  }
}

function checkedMs(name: string, value: number | undefined, min: number): number | undefined {
  if (value !== undefined) numberOption(name, value, { min, max: deadlineMsMax, whole: false });
  return value;
}

/** For what follows a wait, where a promise is there already: turned away means rejected. */
export function orReject(handler: CallHandler, call: Call): Promise<unknown> {
  return handler(call) ?? Promise.reject(call.refusal);
}

/** What an error shows when its policy does not say. */
function errorJudgement(error: unknown): Judgement {
  if (!isTenfoldError(error)) return "failure";
  if (callersFault.has(error.code)) return "ignored";
  const { retryable, retryAfterMs = 0 } = error;
  // An error may say that another try is in vain; that it does no harm only the call can say.
  return retryable
    ? { outcome: "failure", retryAfterMs }
    : { outcome: "failure", retryAfterMs, mayRetry: false };
}

const callersFault: ReadonlySet<string> = new Set([
  "TENFOLD_ABORTED",
  "TENFOLD_OPTION_INVALID",
  "TENFOLD_OPTION_UNKNOWN",
]);
