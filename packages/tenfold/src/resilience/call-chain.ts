import { TenfoldError } from "../runtime/errors.ts";
import { deadlineHeader, formatDeadline, parseDeadline } from "./deadline.ts";

/** Which attempt of its caller a request is: 1 is the first. */
export const attemptHeader = "tenfold-attempt";

/**
 * `stop` in a request: make no retries for it. `stop` in an answer that failed: whoever is nearer
 * to the fault has decided about retries already.
 */
export const retryHeader = "tenfold-retry";
export const retryStop = "stop";

/** Attempts beyond this are a fault or a loop. */
export const attemptMax = 100;

/** What a request brings along from the layers above. */
export interface IncomingCall {
  /** Milliseconds left of the caller's deadline; undefined when it sent none. */
  readonly remainingMs: number | undefined;
  readonly attempt: number;
  /** May the calls made for this request be repeated? */
  readonly mayRetry: boolean;
}

/** A call that nobody above waits for. */
export const firstCall: IncomingCall = Object.freeze({
  remainingMs: undefined,
  attempt: 1,
  mayRetry: true,
});

/**
 * Reads deadline, attempt and the retry signal of a request.
 *
 * The budget of a whole chain. Each layer (1) answers a failed call with `stop`, since it has
 * repeated it or may not; (2) makes no retries for a request that is one, or that says `stop`; (3)
 * says `stop` downward while less than half of its own budget is left. By (1) the layer next to a
 * fault alone repeats, by (2) no retry is multiplied. So with a fault at one place
 *
 *     attempts at the last layer ≤ calls · (1 + ratio) + reserve
 *
 * instead of calls · (1 + ratio)^layers. Where `k` layers lose answers, and the signal with them,
 * it is at most calls · (1 + k · ratio) + reserves, and less by (3).
 *
 * @param header gives a request's header by its name in small letters.
 * @throws TENFOLD_RESILIENCE_DEADLINE_INVALID, TENFOLD_RESILIENCE_CHAIN_INVALID
 */
export function incomingCall(header: (name: string) => string | undefined): IncomingCall {
  const remainingMs = parseDeadline(header(deadlineHeader));
  const text = header(attemptHeader) ?? "1";
  const attempt = /^[1-9]\d{0,2}$/.test(text) ? Number(text) : Number.NaN;
  if (!(attempt <= attemptMax)) {
    throw invalid(attemptHeader, `a whole number from 1 to ${attemptMax}`, text);
  }
  const said = header(retryHeader);
  if (said !== undefined && said !== retryStop) throw invalid(retryHeader, `"${retryStop}"`, said);
  return { remainingMs, attempt, mayRetry: attempt === 1 && said === undefined };
}

/** The headers of an outgoing request: what `incomingCall` reads at the other end. */
export function outgoingHeaders(call: {
  readonly remainingMs: number;
  readonly attempt: number;
  readonly mayRetry: boolean;
}): Record<string, string> {
  const headers: Record<string, string> = {};
  const list = outgoingHeaderList(call);
  for (let i = 0; i < list.length; i += 2) headers[list[i] as string] = list[i + 1] as string;
  return headers;
}

/** The same as names and values in turn: cheaper to make, for what every call does. */
export function outgoingHeaderList(call: Parameters<typeof outgoingHeaders>[0]): string[] {
  const list = [deadlineHeader, formatDeadline(call.remainingMs)];
  if (call.attempt > 1) list.push(attemptHeader, String(call.attempt));
  if (!call.mayRetry) list.push(retryHeader, retryStop);
  return list;
}

const stopMark: unique symbol = Symbol.for("tenfold.retryStop") as never;

/** Marks an error (or a reply) so that the layer which answers with it says `stop` upward. */
export function markRetryStop(failure: unknown): void {
  if (typeof failure !== "object" || failure === null || stopMark in failure) return;
  if (!Object.isExtensible(failure)) return;
  Object.defineProperty(failure, stopMark, { value: true, configurable: true });
}

/** Has a layer nearer to the fault decided about retries of this failure? */
export function saysRetryStop(failure: unknown): boolean {
  return typeof failure === "object" && failure !== null && stopMark in failure;
}

function invalid(name: string, expected: string, value: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_RESILIENCE_CHAIN_INVALID",
    `${name} must be ${expected}, got ${JSON.stringify(value.slice(0, 40))}.`,
    { details: { header: name } },
  );
}
