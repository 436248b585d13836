import { TenfoldError } from "../runtime/errors.ts";
import { outgoingHeaderList, outgoingHeaders } from "./call-chain.ts";
import { type Call, type CallContext, KeptPlace, readClock } from "./call-layer.ts";
import { deadlineMsMax } from "./deadline.ts";
import type { Ending } from "./end-times.ts";

/**
 * The innermost of every policy: runs the caller's function once, for as long as deadline and
 * time-out allow, and judges how it ended. A function that goes on after its time is not waited
 * for; what it gives then is dropped.
 */
export function runAttempt(call: Call): Promise<unknown> {
  return new Promise((resolve, reject) => new Attempt(call, resolve, reject).start());
}

class Attempt implements CallContext, Ending {
  readonly attempt: number;
  readonly call: number;
  endsAt = 0;
  place = -1;
  readonly #call: Call;
  readonly #mayRetryBelow: boolean;
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: unknown) => void;
  #controller: AbortController | undefined;
  #tryMs = 0;
  #limitMs = 0;
  #ended = false;
  #cause: TenfoldError | undefined;

  constructor(call: Call, resolve: (value: unknown) => void, reject: (error: unknown) => void) {
    this.#call = call;
    this.attempt = call.attempt;
    this.call = call.number;
    this.#mayRetryBelow = call.mayRetryBelow;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Made when it is asked for: most of what costs time in an attempt is its signal. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#cause !== undefined) this.#controller.abort(this.#cause);
    }
    return this.#controller.signal;
  }

  remainingMs(): number {
    const { deadline, parts } = this.#call;
    const now = readClock(parts);
    const leftMs = deadline?.remainingMs(now) ?? deadlineMsMax;
    return Math.max(0, Math.min(this.#limitMs, this.endsAt - now, leftMs));
  }

  headers(): Record<string, string> {
    return outgoingHeaders(this.#outgoing());
  }

  headerList(): string[] {
    return outgoingHeaderList(this.#outgoing());
  }

  #outgoing(): Parameters<typeof outgoingHeaders>[0] {
    return {
      remainingMs: this.remainingMs(),
      // A repeated request stays one, all the way down.
      attempt: Math.max(this.attempt, this.#call.incoming.attempt),
      mayRetry: this.#mayRetryBelow,
    };
  }

  keepPlace(): () => void {
    // Of an attempt that was given up nobody waits for the rest.
    if (this.#ended) return nothing;
    this.#call.place ??= new KeptPlace();
    return this.#call.place.over;
  }

  start(): void {
    const call = this.#call;
    const { signal } = call;
    this.#tryMs = call.hasTheRest ? deadlineMsMax : Math.min(call.tryTimeoutMs, call.shareMs);
    this.#limitMs = Math.min(this.#tryMs, call.remainingMs());
    this.endsAt = call.at + this.#limitMs;
    call.beganAt = call.at;
    if (signal?.aborted) this.#abort(signal);
    else if (this.#limitMs <= 0) this.onTime();
    else {
      call.parts.ends.add(this, this.#limitMs);
      signal?.addEventListener("abort", this.#onAbort, { once: true });
      this.#run(call);
    }
  }

  #run(call: Call): void {
    try {
      const result = call.run(this);
      if (isThenable(result)) result.then(this.#onValue, this.#onError);
      else this.#onValue(result);
    } catch (error) {
      this.#onError(error);
    }
  }

  #onValue = (value: unknown): void => {
    if (this.#ended) return;
    try {
      this.#call.judgeResult(value);
      this.#end();
      this.#resolve(value);
    } catch (error) {
      // A classifier that throws must not leave its call open.
      this.#fail(error);
    }
  };

  #onError = (error: unknown): void => {
    if (this.#ended) return;
    try {
      this.#call.judgeError(error);
      this.#end();
      this.#reject(error);
    } catch (fault) {
      this.#fail(fault);
    }
  };

  #onAbort = (): void => {
    const { signal } = this.#call;
    if (!this.#ended && signal !== undefined) this.#abort(signal);
  };

  #abort(signal: AbortSignal): void {
    this.#call.aborted(signal);
    this.#cut(this.#call.refusal as TenfoldError);
  }

  onTime(): void {
    if (this.#ended) return;
    const call = this.#call;
    call.waited();
    const byTry = this.#limitMs >= this.#tryMs;
    call.outcome = this.#limitMs >= call.fairMs ? "failure" : "ignored";
    call.fault = byTry ? "timeout" : "deadline";
    // Its own limit, and not the caller's, so there is time for another one.
    call.mayRetry = byTry ? call.idempotent : undefined;
    call.retryAfterMs = 0;
    call.record("timedOut", call.fault, this.#limitMs);
    this.#cut(outOfTime(call, byTry, this.#limitMs));
  }

  #fail(error: unknown): void {
    this.#call.outcome = "failure";
    this.#call.fault = "failed";
    this.#call.mayRetry = false;
    this.#end();
    this.#reject(error);
  }

  #cut(error: TenfoldError): void {
    this.#cause = error;
    this.#end();
    this.#controller?.abort(error);
    this.#reject(error);
  }

  #end(): void {
    this.#ended = true;
    this.#call.waited();
    this.#call.parts.ends.remove(this);
    this.#call.signal?.removeEventListener("abort", this.#onAbort);
  }
}

function nothing(): void {}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === "function";
}

function outOfTime(call: Call, byTry: boolean, limitMs: number): TenfoldError {
  const { name } = call.parts;
  const code = byTry ? "TENFOLD_RESILIENCE_TRY_TIMEOUT" : "TENFOLD_DEADLINE_EXCEEDED";
  return new TenfoldError(code, `${name} did not answer within ${Math.round(limitMs)} ms.`, {
    retryable: call.idempotent,
    details: { name, limitMs, attempt: call.attempt },
  });
}
