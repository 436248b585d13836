import { TenfoldError } from "../runtime/errors.ts";
import type { CallLayer, LayerKind } from "./call-layer.ts";

/**
 * The order of `callPolicy`, from the outside in. A fail-back stands around all of them.
 *
 * 1. deadline: bounds everything else, waiting and retries included.
 * 2. rateLimit: what may not go at all shall cost nothing further in.
 * 3. retry: each attempt passes everything below anew, so a retry stops at a circuit that opened.
 * 4. breaker: judges attempts, time-outs among them; answers before anybody waits in line.
 * 5. pick (of a service client): each attempt chooses its endpoint anew; what no server received
 *    goes to the next one, at no cost to the retry budget.
 * 6. bulkhead: bounds what is really under way at the callee.
 * 7. tryTimeout: the callee's time alone; time in line is not its fault.
 */
export const layerOrder: readonly LayerKind[] = [
  "deadline",
  "rateLimit",
  "retry",
  "breaker",
  "pick",
  "bulkhead",
  "tryTimeout",
];

/** What may not be otherwise. Where retry stands to limit, breaker and bulkhead is a choice. */
const rules: readonly (readonly [outer: LayerKind, inner: LayerKind, because: string])[] = [
  ["deadline", "rateLimit", "the deadline bounds the whole call"],
  ["deadline", "retry", "the deadline bounds all attempts and the delays between them"],
  ["deadline", "breaker", "a call that is over already shows nothing of the callee"],
  ["deadline", "bulkhead", "the deadline bounds the time in line"],
  ["deadline", "tryTimeout", "the deadline bounds the whole call"],
  ["rateLimit", "breaker", "a call that may not go would take one of the circuit's few probes"],
  ["rateLimit", "bulkhead", "a call that may not go would take a place"],
  ["retry", "tryTimeout", "each attempt has its time; what bounds them all is the deadline"],
  ["deadline", "pick", "the deadline bounds the wait for an endpoint"],
  ["rateLimit", "pick", "a call that may not go picks no endpoint"],
  ["retry", "pick", "each attempt picks anew, so that a retry goes elsewhere"],
  ["breaker", "pick", "an open circuit answers at once, whoever is listed"],
  ["pick", "tryTimeout", "time without an endpoint is not the callee's"],
  ["breaker", "bulkhead", "an open circuit answers at once, not after time in line"],
  ["breaker", "tryTimeout", "the circuit must see the time-outs"],
  ["bulkhead", "tryTimeout", "time in line is not the callee's"],
];

/**
 * Refuses a stack of layers, the outermost first, that would not do what it looks like.
 *
 * @throws TENFOLD_RESILIENCE_ORDER_INVALID with the reason
 */
export function checkLayerOrder(layers: readonly CallLayer[]): void {
  const kinds = layers.map(({ kind }) => kind);
  for (const [at, kind] of kinds.entries()) {
    if (!layerOrder.includes(kind)) throw invalid(kinds, `"${String(kind)}" is no kind of layer`);
    if (kinds.indexOf(kind) !== at) throw invalid(kinds, `there is ${kind} twice`);
  }
  if (!kinds.includes("deadline")) {
    throw invalid(kinds, "deadline is missing: a callee that hangs would be waited for for ever");
  }
  for (const [outer, inner, because] of rules) {
    const at = kinds.indexOf(inner);
    if (at < 0 || kinds.indexOf(outer) <= at) continue;
    throw invalid(kinds, `${outer} belongs outside of ${inner}: ${because}`);
  }
}

/** The layers with one more in its place; none that stands where `layerOrder` has a later one. */
export function withLayerInPlace(layers: readonly CallLayer[], added: CallLayer): CallLayer[] {
  const later = layerOrder.slice(layerOrder.indexOf(added.kind) + 1);
  const at = layers.findIndex(({ kind }) => later.includes(kind));
  return at < 0 ? [...layers, added] : layers.toSpliced(at, 0, added);
}

function invalid(kinds: readonly LayerKind[], why: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_RESILIENCE_ORDER_INVALID",
    `The layers ${kinds.join(" > ")} cannot stand so: ${why}. ` +
      `The usual order is ${layerOrder.join(" > ")}.`,
    { details: { order: kinds } },
  );
}
