import { refuseUnknownKeys } from "../runtime/options.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import { runAttempt } from "./call-attempt.ts";
import {
  Call,
  type CallContext,
  type CallHandler,
  type CallLayer,
  type CallOptions,
  type FaultReason,
  type Judgement,
  type PolicyParts,
} from "./call-layer.ts";
import { type Decision, decisionLog } from "./decision-log.ts";
import { EndTimes } from "./end-times.ts";
import { checkLayerOrder, withLayerInPlace } from "./layer-order.ts";

export interface PolicyOptions {
  /** What is called, for messages. */
  readonly name?: string;
  /** May calls be made twice without harm, where they do not say themselves? */
  readonly idempotent?: boolean;
  /** What a result shows of the callee, such as an answer of status 503. Default: success. */
  readonly classifyResult?: (value: unknown) => Judgement;
  /** What an error shows; undefined leaves it to the default, which is failure. */
  readonly classifyError?: (error: unknown) => Judgement | undefined;
  /** So many decisions are kept for `explain`: 1 … 1,000,000. */
  readonly decisionsMax?: number;
  readonly runtime?: Partial<Runtime>;
}

export const policyDefaults: Readonly<
  Required<Pick<PolicyOptions, "name" | "idempotent" | "decisionsMax">>
> = Object.freeze({ name: "the callee", idempotent: false, decisionsMax: 256 });

export const policyOptionNames: readonly string[] = [
  ...Object.keys(policyDefaults),
  ...["classifyResult", "classifyError", "runtime"],
];

/** Changes of the circuit that are kept besides. */
const changesMax = 32;

/** Why a fail-back is asked for a value. */
export interface Fault {
  readonly reason: FaultReason;
  /** Undefined when the callee gave a result that was judged a failure. */
  readonly error: unknown;
  /** Number of the call, as `explain` takes it. */
  readonly call: number;
}

/** The callee's own value, or what stands in for it. */
export type Answer<T, F> =
  | { readonly degraded: false; readonly value: T }
  | { readonly degraded: true; readonly reason: FaultReason; readonly value: F };

export interface CallPolicy {
  /**
   * Makes a call under the policy. Rejects with what the call's last attempt threw; a result that
   * `classifyResult` does not like is a result all the same, when retries are over.
   *
   * @throws TENFOLD_RESILIENCE_CIRCUIT_OPEN, TENFOLD_RESILIENCE_BULKHEAD_FULL,
   *   TENFOLD_RESILIENCE_RATE_LIMITED, TENFOLD_RESILIENCE_TRY_TIMEOUT, TENFOLD_DEADLINE_EXCEEDED,
   *   TENFOLD_ABORTED, TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN
   */
  run<T>(fn: (call: CallContext) => T | Promise<T>, options?: CallOptions): Promise<T>;
  /**
   * As `run`, but a callee that fails, is slow or is not asked is stood in for: for calls that a
   * caller can do without. What the caller caused (its abort, a bad option, an error judged
   * `ignored`) is thrown as ever.
   */
  runOr<T, F>(
    fn: (call: CallContext) => T | Promise<T>,
    failBack: (fault: Fault) => F | Promise<F>,
    options?: CallOptions,
  ): Promise<Answer<T, F>>;
  /** The last decisions, oldest first; of one call if its number is given. */
  explain(call?: number): Decision[];
  /**
   * The same policy, state and decisions shared, with one more layer in its place of `layerOrder`.
   * @param judge for results and errors that the policy itself has no classifier for.
   * @throws TENFOLD_RESILIENCE_ORDER_INVALID, TENFOLD_OPTION_UNKNOWN
   */
  withLayer(
    layer: CallLayer,
    judge?: Pick<PolicyOptions, "classifyResult" | "classifyError">,
  ): CallPolicy;
}

/**
 * A policy of one's own layers, the outermost first. `callPolicy` has the usual ones.
 *
 * @throws TENFOLD_RESILIENCE_ORDER_INVALID, TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN
 */
export function layeredPolicy(
  layers: readonly CallLayer[],
  options: PolicyOptions = {},
): CallPolicy {
  refuseUnknownKeys("layeredPolicy", options, policyOptionNames);
  const { clock, random } = runtimeWith(options.runtime);
  const counted = { decisions: 0 };
  return policyOver(layers, {
    name: options.name ?? policyDefaults.name,
    clock,
    ends: new EndTimes(clock),
    random,
    decisions: decisionLog(options.decisionsMax ?? policyDefaults.decisionsMax, counted),
    changes: decisionLog(changesMax, counted),
    picks: decisionLog(options.decisionsMax ?? policyDefaults.decisionsMax, counted),
    calls: { count: 0 },
    lastRead: { at: 0 },
    idempotent: options.idempotent ?? policyDefaults.idempotent,
    classifyResult: options.classifyResult,
    classifyError: options.classifyError,
  });
}

function policyOver(layers: readonly CallLayer[], parts: PolicyParts): CallPolicy {
  checkLayerOrder(layers);
  const handler = layers.reduceRight<CallHandler>((inner, layer) => layer.wrap(inner), runAttempt);
  const { calls } = parts;

  return {
    run<T>(fn: (call: CallContext) => T | Promise<T>, callOptions?: CallOptions): Promise<T> {
      try {
        const call = new Call(parts, ++calls.count, fn, callOptions);
        return (handler(call) as Promise<T> | undefined) ?? rejectSoon(call.refusal);
      } catch (error) {
        return rejectSoon(error);
      }
    },
    async runOr(fn, failBack, callOptions) {
      const call = new Call(parts, ++calls.count, fn, callOptions);
      let error: unknown;
      try {
        const running = handler(call);
        const value = (await running) as Awaited<ReturnType<typeof fn>>;
        if (running === undefined) error = call.refusal;
        else if (call.fault === undefined) return { degraded: false, value };
      } catch (caught) {
        error = caught;
      }
      const reason = call.fault;
      if (reason === undefined) throw error;
      call.record("degraded", reason, 0);
      return {
        degraded: true,
        reason,
        value: await failBack({ reason, error, call: call.number }),
      };
    },
    explain(call) {
      const { changes, picks, decisions } = parts;
      const all = [...changes.list(call), ...picks.list(call), ...decisions.list(call)];
      return all.sort((a, b) => a.order - b.order).map(({ order, ...decision }) => decision);
    },
    withLayer(layer, judge = {}) {
      refuseUnknownKeys("withLayer", judge, ["classifyResult", "classifyError"]);
      const { classifyResult = judge.classifyResult, classifyError = judge.classifyError } = parts;
      const more = { ...parts, classifyResult, classifyError };
      return policyOver(withLayerInPlace(layers, layer), more);
    },
  };
}

/**
 * Rejects once the receiver has had the time to listen. A promise that is rejected from the start
 * has Node look after an unhandled rejection, at ten times the cost of the whole refusal.
 */
function rejectSoon(error: unknown): Promise<never> {
  return new Promise((_resolve, reject) => {
    void Promise.resolve().then(() => reject(error));
  });
}
