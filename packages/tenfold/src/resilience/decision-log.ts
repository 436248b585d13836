import { numberOption } from "../runtime/options.ts";

/**
 * What a policy did with a call. picked: `endpoint` was chosen, `why` is the balancer's reason.
 * held: no endpoint took it, so it waits. rerouted: to another endpoint at once, because no server
 * had the request, or one that was slow and was asked again is slow still.
 */
export type DecisionKind =
  | "picked"
  | "held"
  | "rerouted"
  | "retried"
  | "gaveUp"
  | "refused"
  | "timedOut"
  | "degraded"
  | "circuitChanged";

/** Why, as one short constant; for a circuit its new state. */
export interface Decision {
  /** On the clock of the policy. */
  readonly at: number;
  /** Number of the call within its policy, from 1. */
  readonly call: number;
  readonly attempt: number;
  readonly kind: DecisionKind;
  readonly why: string;
  /**
   * retried, held: the delay. refused: when to ask again. timedOut: the time it had. Otherwise 0.
   */
  readonly ms: number;
  /** Of a pick and of what became of it; "" where there is none. */
  readonly endpoint: string;
}

/** Which call a decision is about. */
export interface DecidedCall {
  readonly at: number;
  readonly number: number;
  readonly attempt: number;
}

/** A decision and its place among those of all logs that count together. */
export type CountedDecision = Decision & { readonly order: number };

/** The last decisions of a policy: columns that are written round and round. */
export interface DecisionLog {
  /** O(1), without allocation. */
  record(of: DecidedCall, kind: DecisionKind, why: string, ms: number, endpoint: string): void;
  /** Oldest first; of one call if its number is given. */
  list(call?: number): CountedDecision[];
}

/**
 * @param entriesMax 1 … 1,000,000. @param counted decisions so far; logs of one policy share it.
 * @throws TENFOLD_OPTION_INVALID
 */
export function decisionLog(entriesMax: number, counted = { decisions: 0 }): DecisionLog {
  const size = numberOption("entriesMax", entriesMax, { min: 1, max: 1_000_000 });
  const ats = new Float64Array(size);
  const orders = new Float64Array(size);
  const calls = new Float64Array(size);
  const times = new Float64Array(size);
  const attempts = new Uint8Array(size);
  const kinds = new Array<DecisionKind>(size).fill("retried");
  const whys = new Array<string>(size).fill("");
  const endpoints = new Array<string>(size).fill("");
  const state = { next: 0, used: 0 };
  return {
    record(of, kind, why, ms, endpoint) {
      const slot = state.next;
      ats[slot] = of.at;
      orders[slot] = counted.decisions++;
      calls[slot] = of.number;
      attempts[slot] = of.attempt;
      kinds[slot] = kind;
      whys[slot] = why;
      endpoints[slot] = endpoint;
      times[slot] = ms;
      state.next = slot + 1 === size ? 0 : slot + 1;
      if (state.used < size) state.used++;
    },
    list(call) {
      const first = state.used < size ? 0 : state.next;
      const all = Array.from({ length: state.used }, (_, age): CountedDecision => {
        const slot = (first + age) % size;
        return {
          at: ats[slot] as number,
          order: orders[slot] as number,
          call: calls[slot] as number,
          attempt: attempts[slot] as number,
          kind: kinds[slot] as DecisionKind,
          why: whys[slot] as string,
          ms: times[slot] as number,
          endpoint: endpoints[slot] as string,
        };
      });
      return call === undefined ? all : all.filter((each) => each.call === call);
    },
  };
}
